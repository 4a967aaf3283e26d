/**
 * What only `--full` runs, one round: other sizes of datagrams, connections per second, the round
 * trip while TCP fills the path, and last an MTU of 9000, since that changes the fields.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../../src/lab/until.ts';
import { compiled } from './compile.ts';
import { type Field, PEER } from './field.ts';
import { iperf, ping, pingTimes, tcpBits, tcpBuffered, WrongTransfer } from './transfers.ts';
import { percentiles, type Row, row, tcp, udp, type Workload } from './workloads.ts';

const MTU = 9000;
const PORT = '7777';
/** Ours: how long TCP has the path for itself before the round trips begin. */
const LEAD_MS = 300;
/** Ours: TCP drops frames to find its pace, and those of others with them. */
const LOST_SHARE_MAX = 0.02;

const CONNECTIONS = row('TCP connections', 'per s');
const LOADED_P50 = row('round trip p50, TCP out beside', 'us', { isLessBetter: true });
const LOADED_P99 = row('round trip p99, TCP out beside', 'us', { isLessBetter: true });

/** In their order. */
export const FULL_WORKLOADS: readonly Workload[] = [
  udp(row('UDP 512 out', 'Mbit/s'), 512),
  udp(row('UDP 512 in', 'Mbit/s'), 512, ['-R']),
  udp(row('UDP 1400 out', 'Mbit/s'), 1400),
  udp(row('UDP 1400 in', 'Mbit/s'), 1400, ['-R']),
  { name: CONNECTIONS.name, rows: [CONNECTIONS], measure: connections },
  { name: 'round trip, TCP out beside', rows: [LOADED_P50, LOADED_P99], measure: loaded },
  jumbo(row(`TCP 1 stream out, MTU ${MTU}`, 'Gbit/s'), []),
  jumbo(row(`TCP 1 stream in, MTU ${MTU}`, 'Gbit/s'), ['-R']),
];

async function connections({ workspace }: Field, seconds: number) {
  const program = await compiled('connect', ['-pthread']);
  const server = workspace.start([program, 'serve', PEER, PORT], { role: 'peer' });
  try {
    let printed = '';
    server.stdout?.on('data', (text) => {
      printed += String(text);
    });
    await until('the server of connections listens', 5000, () => printed.includes('ready'));
    const limit = ['timeout', '-s', 'KILL', String(seconds + 5)];
    const dial = [...limit, program, 'dial', PEER, PORT, String(seconds)];
    const made = Number(await workspace.runIn('host', dial));
    if (!(made > 0)) throw new WrongTransfer('no TCP connection was made');
    return [{ row: CONNECTIONS.name, value: made / seconds }];
  } finally {
    await workspace.stop(server);
  }
}

async function loaded(field: Field, seconds: number) {
  const count = seconds * 1000;
  const filling = iperf(field, seconds + 1, []);
  const [report, text] = await Promise.all([
    filling,
    sleep(LEAD_MS).then(() => ping(field, count)),
  ]);
  tcpBits(report, tcpBuffered());
  const times = pingTimes(text, count, { lostMax: count * LOST_SHARE_MAX });
  return percentiles([LOADED_P50, LOADED_P99], times);
}

/** TCP over devices with a large MTU. */
function jumbo(of: Row, args: readonly string[]): Workload {
  const plain = tcp(of, { args });
  return {
    ...plain,
    async measure(field, seconds) {
      await field.setMtu(MTU);
      return await plain.measure(field, seconds);
    },
  };
}

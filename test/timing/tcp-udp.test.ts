/** TCP and UDP in volume, both ways, in the three wirings. */

import { deepEqual, ok } from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EchoStream, Transfer } from '../../src/lab/measure/measure.ts';
import { LANS, type Lan, type Wiring } from '../../src/lab/topology.ts';
import { until } from '../../src/lab/until.ts';
import { describeOn, type TestHost, WIRINGS } from '../netns/tools/harness.ts';

/** Ours: far below what any machine reaches with super-frames, far above without them. */
const LEAST_TCP_BITS = 300e6;

interface Iperf {
  readonly end: {
    readonly sum_received?: { readonly bits_per_second: number };
    readonly sum?: { readonly bits_per_second: number; readonly lost_percent: number };
  };
}

async function iperf(host: TestHost, to: string, args: readonly string[]): Promise<Iperf> {
  const server = host.workspace.start(['iperf3', '-s', '-1', '-B', to], { role: 'gw' });
  await until('iperf3 listens', 5000, async () => {
    return (await host.run('gw', ['ss', '-Hltn', 'sport', '=', ':5201'])) !== '';
  });
  const text = await host.run('host', ['iperf3', '-J', '-c', to, '-t', '1', ...args]);
  await host.workspace.stop(server);
  return JSON.parse(text) as Iperf;
}

describeOn(WIRINGS, 'volume', { ipv6: true }, (host, wiring) => {
  for (const lan of LANS) describe(`IPv${lan.family}`, () => volume(host, wiring, lan));
});

function volume(host: TestHost, wiring: Wiring, { gateways: [gateway], data }: Lan): void {
  for (const [name, args] of [
    ['TCP out', []],
    ['TCP in', ['-R']],
    ['TCP out, four streams', ['-P', '4']],
  ] as const) {
    test(name, async (t) => {
      const bits = (await iperf(host, gateway, args)).end.sum_received?.bits_per_second ?? 0;
      t.diagnostic(`${wiring} ${name}: ${(bits / 1e9).toFixed(2)} Gbit/s`);
      ok(bits > LEAST_TCP_BITS, `${bits} bit/s`);
    });
  }

  for (const [name, args] of [
    ['UDP out', []],
    ['UDP in', ['-R']],
  ] as const) {
    test(name, async () => {
      const { sum } = (await iperf(host, gateway, ['-u', '-b', '20M', '-l', '1200', ...args])).end;
      ok((sum?.bits_per_second ?? 0) > 18e6, JSON.stringify(sum));
      ok((sum?.lost_percent ?? 100) < 2, JSON.stringify(sum));
    });
  }

  test('a transfer survives a cut and a repair with equal digests', async () => {
    const ends = { from: 'gw', to: 'host', address: data[0], rate: 20_000_000 };
    const transfer = await Transfer.start(host.workspace, ends);
    const grows = async (): Promise<void> => {
      const before = await transfer.offset();
      await until('bytes arrive', 10_000, async () => (await transfer.offset()) > before + 1e6);
    };
    await grows();
    const { uplink } = await host.boundTo(data[0]);
    if (wiring !== 'tap') {
      await host.fail(uplink);
      await grows();
      await host.topology.repair(uplink);
      await host.daemon.waitUntilOk();
    }
    await grows();
    const { sent, received } = await transfer.finish();
    deepEqual(received, sent);
  });

  test('a thousand echo requests a second: none lost, none twice', async () => {
    const echo = await EchoStream.start(host.workspace, gateway);
    await until('1000 answers', 10_000, async () => (await echo.peek()).received >= 1000);
    const { lost, duplicates } = await echo.stop();
    deepEqual({ lost, duplicates }, { lost: 0, duplicates: 0 });
  });
}

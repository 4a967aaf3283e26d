/** `ipmpadm monitor`: events as they happen, one line each, until interrupted. */
import { OperatorError } from '../../base/errors.ts';
import { replyRead, UnreachableError } from '../client.ts';
import { type Call, EXIT_DONE, given, isJson, rowOf } from './command-line.ts';
import { renderEvent } from './render.ts';

const FILTERS = ['group', 'ifname', 'event'] as const;

/** ENOBUFS: they were read too slowly. UnreachableError: the daemon has ended the stream. */
export async function monitor(call: Call): Promise<number> {
  const { line, client, options, paint } = call;
  const interrupted = line.interruption();
  let isOverrun = false;
  const onEvent = (name: string, data: string): void => {
    if (name === 'overrun') isOverrun = true;
    if (isJson(call)) line.print(`${data}\n`);
    else
      line.print(`${renderEvent(rowOf(replyRead(data)), options.set.has('timestamp'), paint)}\n`);
  };
  await client.events(({ name, data }) => onEvent(name, data), interrupted, pathOf(call));
  if (interrupted.aborted) return EXIT_DONE;
  if (isOverrun) throw new OperatorError('ENOBUFS', 'events were lost: they were read too slowly');
  throw new UnreachableError('ipmpd has closed the connection', 'did it stop?');
}

function pathOf(call: Call): string {
  const pairs = FILTERS.flatMap((key) => {
    const value = given(call, key);
    return value === undefined ? [] : [`${key}=${encodeURIComponent(value)}`];
  });
  return pairs.length === 0 ? '/v1/events' : `/v1/events?${pairs.join('&')}`;
}

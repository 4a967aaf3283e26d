/** A mirror over a kernel that a test plays; what it passes on is noted. */

import { Mirror } from '../../../../src/host/kernel/mirror.ts';
import type { HostRoute } from '../../../../src/host/kernel/records.ts';
import type { Rtnl } from '../../../../src/host/kernel/rtnl.ts';
import { TestClock } from '../../../tools/clock.ts';

/** `reports`: a word for each link, address list, route list and setting, in their order. */
export function mirrorOf(rtnl: Partial<Rtnl>) {
  const reports: string[] = [];
  const lists: (readonly HostRoute[])[] = [];
  const handlers = { received: (_: Buffer): void => undefined, overrun: (): void => undefined };
  const clock = new TestClock();
  const mirror = new Mirror({
    rtnl: rtnl as Rtnl,
    open: (_protocol, _groups, given) => {
      Object.assign(handlers, given);
      return { close: () => undefined };
    },
    clock,
    log: { info: () => undefined, warn: () => undefined },
    listener: {
      handleLink: (_name, link, hasBounced) => {
        const state = link?.up ? (link.carrier ? 'up' : 'cut') : 'down';
        reports.push(hasBounced ? `${state} again` : state);
      },
      handlePorts: () => undefined,
      handleAddresses: (_name, list) => reports.push(list.map(({ address }) => address).join(' ')),
      handleRoutes: (_name, list) => {
        lists.push(list);
        reports.push(list.map(({ destination }) => destination).join(' '));
      },
      handleSettings: () => reports.push('settings'),
    },
  });
  return { mirror, reports, lists, handlers, clock };
}

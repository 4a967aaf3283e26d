/** What the system asks of the host, carried out in the order of asking. */

import { OperatorError } from '../base/errors.ts';
import type { Host } from '../host/host.ts';
import type { HostLog } from '../process/log.ts';
import type { HostRequest } from '../system.ts';

export interface HostRequestOptions {
  readonly host: Pick<Host, 'setGroupMtu' | 'setNominated'>;
  readonly log: HostLog;
  /** Gets every error but a refusal. */
  readonly fail: (error: unknown) => void;
}

/** Begins to carry out `request`; a refusal is logged. */
export function handleHostRequest(request: HostRequest, options: HostRequestOptions): void {
  const { host, log, fail } = options;
  const done =
    request.kind === 'group-mtu'
      ? host.setGroupMtu(request.group, request.mtu)
      : host.setNominated(request.ifname, request.isNominated);
  done.catch((error: unknown) => {
    if (!(error instanceof OperatorError)) return fail(error);
    const { kind, ...what } = request;
    log.warn({ event: `${kind}-refused`, ...what, code: error.code }, error.message);
  });
}

/** What this machine lets us do: devices in namespaces as root, in a user namespace, or not. */

import { fileURLToPath } from 'node:url';
import { execute } from './command.ts';
import type { Wiring } from './topology.ts';

/** Where a lab can be. `why` names what is refused, for the first line of the demonstration. */
export type Ground =
  | { readonly kind: 'root'; readonly wiring: Wiring }
  | { readonly kind: 'user-namespace'; readonly wiring: Wiring }
  | { readonly kind: 'none'; readonly why: string };

/** Set in the environment of a lab that runs inside the user namespace made for it. */
export const INSIDE = 'IPMPD_LAB_INSIDE';

/**
 * Looks for the programs of a lab and tries everything that it does, in namespaces that vanish with
 * the shell: a named network namespace, a program in it with its own /sys, a TAP, a veth pair, a
 * bridge, and last a macvtap.
 */
const TRIAL = `
for program in ip nft ping setpriv; do
  command -v $program > /dev/null || { echo "the program $program is missing" >&2; exit 1; }
done
mount -t tmpfs tmpfs /run || exit 1
ip netns add trial &&
ip netns exec trial ip tuntap add dev t0 mode tap &&
ip -n trial link add name v0 type veth peer name v1 &&
ip -n trial link add name b0 type bridge || exit 1
ip -n trial link add link v0 name m0 type macvtap mode passthru 2>/dev/null && echo macvtap
exit 0
`;

const IN_USER_NAMESPACE = ['--user', '--map-root-user', '--net', '--mount'];

/** The program that runs `labMain`, for a lab in another process. */
export const ENTRY = fileURLToPath(new URL('./entry.js', import.meta.url));

/** Command line that runs `labMain(argv)` as root of a new user namespace, with its own /run. */
export function userNamespaceCommand(argv: readonly string[]): string[] {
  const shell = 'mount -t tmpfs tmpfs /run && exec "$@"';
  const command = ['sh', '-c', shell, 'sh', process.execPath, ENTRY, ...argv];
  return ['unshare', ...IN_USER_NAMESPACE, ...command];
}

/** Finds out by trial. Leaves nothing behind. */
export async function findGround(): Promise<Ground> {
  if (process.env[INSIDE] !== undefined) return { kind: 'root', wiring: 'bridge' };
  const isRoot = process.getuid?.() === 0;
  const flags = isRoot ? ['--net', '--mount'] : IN_USER_NAMESPACE;
  const trial = await execute(['unshare', ...flags, 'sh', '-c', TRIAL]);
  if (trial.status !== 0) {
    const [reason = 'no reason given'] = trial.stderr.trim().split('\n');
    return { kind: 'none', why: `${isRoot ? '' : 'no root, and '}${reason}` };
  }
  if (!isRoot) return { kind: 'user-namespace', wiring: 'bridge' };
  return { kind: 'root', wiring: trial.stdout.includes('macvtap') ? 'macvtap' : 'bridge' };
}

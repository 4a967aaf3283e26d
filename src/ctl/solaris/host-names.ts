/**
 * Host names for addresses in the output of `ipmpstat`. A name service that is slow or absent
 * costs a bounded time, and the address is shown instead.
 */
import { Resolver } from 'node:dns/promises';

/** Ours: for all names together; after it the addresses are shown. */
const LIMIT_MS = 1000;
/** Questions on their way at one time. */
const CONCURRENT_MAX = 32;

/** What may be changed for tests. */
export interface HostNameOptions {
  /** Name servers, `ADDRESS:PORT`; those of the system if left out. */
  readonly servers?: readonly string[];
  readonly limitMs?: number;
}

/** Address -> name, for those of `addresses` whose name arrived in time. */
export async function hostNames(
  addresses: readonly string[],
  { servers, limitMs = LIMIT_MS }: HostNameOptions = {},
): Promise<ReadonlyMap<string, string>> {
  const resolver = new Resolver({ timeout: limitMs, tries: 1 });
  if (servers !== undefined) resolver.setServers(servers);
  const names = new Map<string, string>();
  const left = [...addresses];
  const limit = AbortSignal.timeout(limitMs);
  const giveUp = (): void => resolver.cancel();
  limit.addEventListener('abort', giveUp, { once: true });
  const ask = async (): Promise<void> => {
    while (!limit.aborted) {
      const address = left.shift();
      if (address === undefined) return;
      const name = await nameOf(resolver, address);
      if (name !== undefined) names.set(address, name);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENT_MAX }, ask));
  limit.removeEventListener('abort', giveUp);
  return names;
}

/** The reply of a name server goes to a terminal, so it must look like a name. */
async function nameOf(resolver: Resolver, address: string): Promise<string | undefined> {
  try {
    const [name] = await resolver.reverse(address);
    return name !== undefined && /^[\w.-]+$/.test(name) ? name : undefined;
  } catch {
    return undefined;
  }
}

/** For tests of taking back: a journal that is closed with the test, a kernel that refuses. */

import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type ErrorCode, OperatorError } from '../../../../src/base/errors.ts';
import type { HostAddress, HostRoute, LinkRecord } from '../../../../src/host/kernel/records.ts';
import type { Rtnl } from '../../../../src/host/kernel/rtnl.ts';
import { Journal } from '../../../../src/host/undo/journal.ts';
import { Changes } from '../../../../src/host/undo/restore.ts';
import { testFolder } from '../../../tools/folder.ts';
import { defaultRoute, linkRecord } from '../port/link-record.ts';

/** Journals of the test that runs now. */
const opened: Journal[] = [];

/** A path for a journal, in a folder that does not exist yet. */
export function journalPath(context: TestContext): string {
  context.after(async () => {
    for (const journal of opened.splice(0)) await journal.close();
  });
  return join(testFolder(context), 'run', 'journal');
}

/** Opens a journal, which is closed with the test at the latest. */
export async function openJournal(path: string): Promise<Journal> {
  const journal = await Journal.open(path);
  opened.push(journal);
  return journal;
}

/** A journal, a kernel, and the changes that are made there. */
export async function world(context: TestContext) {
  const journal = await openJournal(journalPath(context));
  const kernel = new Kernel();
  return { journal, kernel, changes: kernel.changes(journal) };
}

export const HOLDER = 'interface:net0';
export const ETH0 = linkOf({ ifindex: 3, name: 'eth0' });
export const NET0 = { name: 'net0', kind: 'macvtap', lower: 3, macvlanMode: 8 };

/** A device that is silenced. */
export function linkOf(changes: Partial<LinkRecord>): LinkRecord {
  return linkRecord({ noarp: true, ...changes });
}

/** A kernel that refuses, or does what it is asked for and loses the answer. */
export class Kernel {
  readonly links = new Map<number, LinkRecord>([[3, ETH0]]);
  readonly addresses: string[] = [];
  readonly routes: HostRoute[] = [];
  readonly done: string[] = [];
  readonly log: string[] = [];
  /** What is answered to what begins so: the code, and whether it is done nevertheless. */
  readonly refusals = new Map<string, { code: ErrorCode; isDone: boolean }>();
  /** Questions about one device. */
  looks = 0;
  #nextIndex = 10;

  readonly rtnl = {
    links: async () => [...this.links.values()],
    link: async (device: string | number) => {
      this.looks++;
      this.#refuse(`look up ${device}`);
      return this.#find(device);
    },
    linkOf: async (name: string) => {
      const link = this.#find(name);
      if (link === undefined) throw new OperatorError('ENODEV', `there is no ${name}`);
      return link;
    },
    setLink: async ({ name }: LinkRecord, settings: object) =>
      this.#do(`set ${name} ${JSON.stringify(settings)}`),
    createMacvtap: async (name: string, lower: LinkRecord) =>
      this.#do(`create ${name}`, () => this.add({ ...NET0, name, lower: lower.ifindex })),
    deleteLink: async (ifindex: number) =>
      this.#do(`delete ${ifindex}`, () => this.links.delete(ifindex)),
    deleteLinks: async (links: readonly LinkRecord[]) =>
      this.#do(`delete ${links.length} devices`, () => {
        for (const { ifindex } of links) this.links.delete(ifindex);
      }),
    addresses: async () => {
      this.#refuse('list addresses');
      return this.addresses.map((address) => ({ address, prefixLength: 24 }) as HostAddress);
    },
    addAddress: async (_link: object, prefix: string) => {
      const address = prefix.slice(0, prefix.indexOf('/'));
      this.#do(`add ${prefix}`, () => this.addresses.push(address));
      return true;
    },
    deleteAddress: async (_link: object, prefix: string) => this.#do(`delete ${prefix}`),
    findRoute: async (ifindex: number, _family: number, isIt: (route: HostRoute) => boolean) =>
      this.routes.filter(({ hops }) => hops.some((hop) => hop.ifindex === ifindex)).find(isIt),
    addRoute: async () => {
      if (this.routes.length > 0) return false;
      this.#do('add route', () => this.routes.push(defaultRoute(3)));
      return true;
    },
    deleteRoute: async () => this.#do('delete route'),
  } as unknown as Rtnl;

  changes(journal: Journal): Changes {
    const write = (_: object, message: string): void => void this.log.push(message);
    return new Changes(journal, this.rtnl, { info: write, warn: write });
  }

  add(link: Partial<LinkRecord>): LinkRecord {
    const made = linkOf({ ifindex: this.#nextIndex++, ...link });
    this.links.set(made.ifindex, made);
    return made;
  }

  refuse(what: string, code: ErrorCode, isDone = false): void {
    this.refusals.set(what, { code, isDone });
  }

  #find(device: string | number): LinkRecord | undefined {
    return [...this.links.values()].find((one) => device === one.name || device === one.ifindex);
  }

  #do(what: string, effect: () => unknown = () => undefined): true {
    const isRefused = [...this.refusals].find(([begin]) => what.startsWith(begin))?.[1];
    if (isRefused === undefined || isRefused.isDone) {
      this.done.push(what);
      effect();
    }
    this.#refuse(what);
    return true;
  }

  #refuse(what: string): void {
    const refusal = [...this.refusals].find(([begin]) => what.startsWith(begin))?.[1];
    if (refusal !== undefined) throw new OperatorError(refusal.code, `${what}: refused`);
  }
}

/** The import ladder as a table, and the drawing of it in docs/architecture.md. */

/**
 * Room -> rooms, or single files of rooms, below it. A room is a folder of src/ or a file that lies
 * there; a folder of a folder is a room of its own where it has a row of its own.
 */
export const LADDER: Readonly<Record<string, readonly string[]>> = {
  base: [],
  native: ['base'],
  wire: ['base'],
  model: ['wire/addr.ts', 'base'],
  stats: ['model', 'base'],
  process: ['native', 'base'],
  config: ['model', 'wire/addr.ts', 'base'],
  datapath: ['native', 'wire', 'stats', 'model', 'base'],
  ip: ['wire', 'stats', 'model', 'base'],
  ipmp: ['ip', 'datapath/tables/fib.ts', 'wire', 'stats', 'model', 'base'],
  'projection.ts': ['ipmp', 'ip', 'datapath/tables/fib.ts', 'wire', 'model', 'base'],
  'system.ts': [
    ...['projection.ts', 'ipmp', 'ip', 'datapath/tables/fib.ts', 'stats', 'wire', 'model', 'base'],
  ],
  ctl: ['stats', 'model', 'base'],
  'ctl/api': ['ctl', 'stats', 'model', 'base'],
  'ctl/adm': ['ctl', 'ctl/api/routes.ts', 'model', 'base'],
  'ctl/solaris': ['ctl', 'model', 'base'],
  host: ['native', 'process', 'wire', 'model', 'base'],
  change: ['system.ts', 'host', 'ctl', 'config', 'process', 'wire', 'model', 'base'],
  sim: ['system.ts', 'datapath', 'stats', 'wire', 'model', 'base'],
  lab: ['sim', 'ctl', 'model', 'wire/addr.ts', 'base'],
  daemon: [
    ...['change', 'system.ts', 'host', 'ctl/api', 'ctl', 'datapath', 'stats', 'config'],
    ...['process', 'native', 'wire', 'model', 'base'],
  ],
  'ipmpd.ts': ['daemon'],
  'ipmpadm.ts': ['ctl/adm', 'lab', 'config', 'process', 'model', 'base'],
  'ipmpstat.ts': ['ctl/solaris', 'base'],
  'if_mpadm.ts': ['ctl/solaris', 'base'],
};

/** The room of a file or folder of src/, given without that folder. */
export function roomOf(path: string): string {
  const [first = '', second = ''] = path.split('/');
  const inner = `${first}/${second}`;
  return LADDER[inner] === undefined ? first : inner;
}

/** Rooms below `room` that are not reached by way of another of them. */
function nearest(room: string): string[] {
  const below = (LADDER[room] ?? []).filter((entry) => entry !== 'base');
  const reached = (from: string, to: string): boolean =>
    (LADDER[from] ?? []).some((entry) => entry === to || reached(roomOf(entry), to));
  return below.filter((entry) => !below.some((other) => reached(other, entry)));
}

/** One line for each room, the highest first; `base` is below all. */
export function drawing(): string {
  const rooms = Object.keys(LADDER).filter((room) => room !== 'base');
  const width = Math.max(...rooms.map((room) => room.length));
  const lines = rooms.reverse().map((room) => {
    const below = nearest(room);
    return ` ${room.padEnd(width)} -> ${(below.length === 0 ? ['base'] : below).join(', ')}`;
  });
  return `${lines.join('\n')}\n`;
}

/**
 * The live view of a lab on a terminal, until `q` or Ctrl-C: the state that the daemon reports, the
 * lab's own traffic, and keys that cut and repair.
 *
 * The picture is drawn on its own beat from the latest answers; a daemon that does not answer is
 * shown as such and holds up nothing.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../base/errors.ts';
import { ControlClient } from '../../ctl/client.ts';
import { rowRead } from '../../model/fields.ts';
import { ADDRESS_ROW, INTERFACE_ROW, KSTAT_ROW, STATUS_ROW } from '../../model/rows.ts';
import type { Lab, Say } from '../demonstration.ts';
import type { EventHistory } from './history.ts';
import { type Key, keysOf } from './keys.ts';
import { RateMeter } from './rates.ts';
import { renderLive } from './render.ts';
import { Screen } from './screen.ts';
import type { Cable, DaemonState, LiveState, Rates, TrafficState } from './state.ts';
import { LiveTraffic } from './traffic.ts';

const BEAT_MS = 50;
const ASK_MS = 1000;
const DRAW_MS = 250;
const NOTICE_MS = 4000;

/** Ours: a daemon that answers needs a few milliseconds; on a crowded machine some hundred. */
const SILENCE_MS = 1500;

/** What the view needs beside the lab. */
export interface LiveOptions {
  readonly history: EventHistory;
  readonly hints: readonly string[];
  readonly say: Say;
  /** The lab is being removed, by a signal as a rule. */
  readonly isOver: () => boolean;
}

/** Shows the lab until it is left. The terminal is as before afterwards. */
export async function showLive(lab: Lab, options: LiveOptions): Promise<void> {
  const traffic = await LiveTraffic.start(lab);
  await new LiveView(lab, traffic, options).run();
  const summary = traffic.summary();
  if (summary !== undefined) options.say(summary);
}

class LiveView {
  readonly #lab: Lab;
  readonly #traffic: LiveTraffic;
  readonly #options: LiveOptions;
  readonly #client: ControlClient;
  readonly #screen: Screen;
  readonly #meter = new RateMeter();
  #daemon: DaemonState | null = null;
  #rates: ReadonlyMap<string, Rates> = new Map();
  #trafficState: TrafficState | null = null;
  #exit: number | string | null = null;
  #cables: readonly Cable[];
  #view: LiveState['screen'] = 'tables';
  #notice: (NonNullable<LiveState['notice']> & { untilMs: number }) | null = null;
  /** The picture that a pause holds. */
  #held: LiveState | undefined;
  #answeredAtMs = performance.now();
  #isAsking = false;
  #askAtMs = 0;
  #drawAtMs = 0;
  #isLeft = false;

  constructor(lab: Lab, traffic: LiveTraffic, options: LiveOptions) {
    this.#lab = lab;
    this.#traffic = traffic;
    this.#options = options;
    this.#client = new ControlClient(lab.daemon.socket);
    const { uplinks, members } = lab.topology;
    this.#cables = uplinks.map((uplink, index) => {
      return { key: String(index + 1), uplink, ifname: members[index] ?? '', isCut: false };
    });
    this.#screen = new Screen({
      input: process.stdin,
      output: process.stdout,
      hasColour: !process.env.NO_COLOR,
      onChange: () => this.#draw(),
      onInput: (text) => this.#handleInput(text),
      onGone: () => {
        this.#isLeft = true;
      },
    });
  }

  async run(): Promise<void> {
    const { history, isOver } = this.#options;
    void this.#lab.daemon.ended.then((exit) => {
      this.#exit = exit;
    });
    history.onEvent = () => {
      this.#askAtMs = 0;
      this.#drawAtMs = 0;
    };
    this.#screen.enter();
    try {
      while (!this.#isLeft && !isOver()) {
        const nowMs = performance.now();
        if (nowMs >= this.#askAtMs && !this.#isAsking) void this.#ask();
        if (nowMs >= this.#drawAtMs) this.#draw();
        await sleep(BEAT_MS);
      }
    } finally {
      this.#screen.leave();
      history.onEvent = () => undefined;
    }
  }

  /** Asks for everything once; a daemon that does not answer is no error here but shown. */
  async #ask(): Promise<void> {
    this.#isAsking = true;
    this.#askAtMs = performance.now() + ASK_MS;
    try {
      const looking = this.#traffic.look().then((state) => {
        this.#trafficState = state;
      });
      await Promise.all([looking, this.#askDaemon()]);
    } catch (error) {
      // No answer: the age of the last one is shown.
      if (!(error instanceof Error)) throw error;
    } finally {
      this.#isAsking = false;
      this.#drawAtMs = 0;
    }
  }

  async #askDaemon(): Promise<void> {
    const client = this.#client;
    const [status, interfaces, addresses, groupKstats, linkKstats] = await Promise.all([
      client.request('GET', '/v1/status'),
      client.rows(INTERFACE_ROW, '/v1/interfaces'),
      client.rows(ADDRESS_ROW, '/v1/addresses'),
      client.rows(KSTAT_ROW, '/v1/kstats?pattern=ipmp'),
      client.rows(KSTAT_ROW, '/v1/kstats?pattern=link'),
    ]);
    const { version, uptime_s: uptimeS, groups } = rowRead(STATUS_ROW, status);
    this.#daemon = { version, uptimeS, groups, interfaces, addresses };
    this.#rates = this.#meter.handleKstats([...groupKstats, ...linkKstats]);
    this.#answeredAtMs = performance.now();
  }

  #draw(): void {
    this.#drawAtMs = performance.now() + DRAW_MS;
    const { width, height } = this.#screen.size;
    this.#screen.draw(renderLive(this.#picture(), width, height));
  }

  #picture(): LiveState {
    const now = this.#state();
    if (this.#held === undefined) return now;
    const { screen, notice, exit } = now;
    return { ...this.#held, screen, notice, exit, isPaused: true };
  }

  #state(): LiveState {
    const nowMs = performance.now();
    if (this.#notice !== null && nowMs > this.#notice.untilMs) this.#notice = null;
    const isSilent = nowMs - this.#answeredAtMs > SILENCE_MS;
    return {
      nowMs,
      daemon: this.#daemon,
      silentSinceMs: isSilent ? this.#answeredAtMs : null,
      exit: this.#exit,
      rates: isSilent ? new Map() : this.#rates,
      events: this.#options.history.events,
      traffic: this.#trafficState,
      cables: this.#cables,
      screen: this.#view,
      isPaused: false,
      notice: this.#notice,
      hints: this.#options.hints,
    };
  }

  #handleInput(text: string): void {
    for (const key of keysOf(text)) this.#handleKey(key);
    this.#draw();
  }

  #handleKey(key: Key): void {
    const chosen = this.#cables.find((cable) => cable.key === key);
    if (key === 'interrupt' || key === 'q') {
      this.#isLeft = true;
    } else if (key === 'redraw') {
      this.#screen.forget();
    } else if (this.#view === 'help') {
      this.#view = 'tables';
    } else if (chosen !== undefined) {
      this.#view = 'tables';
      void this.#toggle(chosen);
    } else if (key === 'c') {
      this.#view = 'choice';
    } else if (this.#view === 'choice') {
      this.#view = 'tables';
    } else if (key === '?' || key === 'h') {
      this.#view = 'help';
    } else if (key === ' ') {
      this.#held = this.#held === undefined ? this.#state() : undefined;
    }
  }

  /** Cuts a cable that is whole and repairs one that is cut, also by another program. */
  async #toggle({ uplink }: Cable): Promise<void> {
    const { topology } = this.#lab;
    try {
      const wasCut = await topology.isCut(uplink);
      await this.#traffic.mark(`the ${wasCut ? 'repair' : 'cut'} of ${uplink}`);
      await (wasCut ? topology.repair(uplink) : topology.cut(uplink));
      this.#cables = this.#cables.map((cable) =>
        cable.uplink === uplink ? { ...cable, isCut: !wasCut } : cable,
      );
      this.#tell(`${uplink} is ${wasCut ? 'repaired' : 'cut'}`, false);
    } catch (error) {
      this.#tell(`${uplink}: ${messageOf(error)}`, true);
    }
  }

  #tell(text: string, isBad: boolean): void {
    this.#notice = { text, isBad, untilMs: performance.now() + NOTICE_MS };
    this.#drawAtMs = 0;
    this.#askAtMs = 0;
  }
}

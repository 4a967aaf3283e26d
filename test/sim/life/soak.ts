/** Seeds of trouble, one life each. The message of a failure is enough to play it again. */

import { Life, type LifeOptions } from './life.ts';
import { drawSchedule, type Schedule } from './schedule.ts';

/** Lines of the story that go with a failure. */
const STORY_LINES = 40;

/** How a life went. */
export interface Outcome {
  /** Of its story: the same for the same schedule. */
  readonly digest: string;
  /** Kind of act and how it ended (`join done`, `join EALREADY`) -> how often. */
  readonly ends: ReadonlyMap<string, number>;
  /** Virtual. */
  readonly durationMs: number;
}

/** Lives one schedule. @throws Error that names the invariant and shows the end of the story */
export function liveOnce(schedule: Schedule, options: LifeOptions = {}): Outcome {
  let life: Life | undefined;
  try {
    life = new Life(schedule, options);
    life.live();
    const { world } = life;
    return { digest: world.transcript.digest, ends: life.ends(), durationMs: world.nowMs };
  } catch (error) {
    const story = life?.world.transcript.lines.slice(-STORY_LINES).join('\n') ?? 'it never began';
    const { seed } = schedule;
    const again = `npm run soak -- --seed ${seed} --transcript`;
    throw new Error(`seed ${seed} (${again}): ${error}\n${story}`, { cause: error });
  }
}

/** Lives the life of a seed. */
export function liveSeed(seed: number): Outcome {
  return liveOnce(drawSchedule(seed));
}

/** The name of the invariant that a schedule breaks; undefined if it breaks none. */
export function brokenBy(schedule: Schedule): string | undefined {
  try {
    new Life(schedule).live();
    return undefined;
  } catch (error) {
    return /^(\w+) at /.exec((error as Error).message)?.[1] ?? (error as Error).name;
  }
}

/**
 * A schedule from which no step can be taken without its breaking the same invariant no more, as
 * `check` names it. Runs of steps are tried first, half as long each time.
 */
export function shorten(schedule: Schedule, check = brokenBy): Schedule {
  const broken = check(schedule);
  let { steps } = schedule;
  if (broken === undefined) return schedule;
  for (let length = steps.length >> 1; length >= 1; length >>= 1) {
    for (let from = 0; from < steps.length; ) {
      const fewer = steps.toSpliced(from, length);
      if (check({ ...schedule, steps: fewer }) === broken) steps = fewer;
      else from += length;
    }
  }
  return { ...schedule, steps };
}

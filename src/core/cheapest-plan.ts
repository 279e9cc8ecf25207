/** Which targets and modes do some lines for the least money within a window, and why. Pure. */

/** What all lines of a group would be at one target, in one mode. */
export interface PlanOption {
  provider: string;
  model: string;
  target: string;
  mode: 'batch' | 'immediate';
  requests: number;
  /** Lines that it cannot take. */
  refused: number;
  /** For the lines that it takes, in nano-USD; null when unpriced. */
  expectedNano: number | null;
  unpricedReason: string | null;
  /** What its limits make all of them last, in time that it is open; null when nothing limits it. Of a provider batch: the window. */
  seconds: number | null;
  /** The same by each of its limits: what has one `key` is limited together. */
  paces: readonly { key: string; seconds: number }[];
  /** How long it is open in the window. */
  openSeconds: number;
  /** The fewest lines of one of its provider batches; null for no least. */
  linesMin: number | null;
}

export type PlanVerdict = 'chosen' | 'dearer' | 'unpriced' | 'refuses' | 'too_few' | 'too_slow';

interface Judgement {
  verdict: PlanVerdict;
  reason: string;
}

type Judged<Option extends PlanOption> = Option & Judgement;

export interface PlanShare<Option extends PlanOption = PlanOption> {
  option: Option;
  requests: number;
  expectedNano: number;
  seconds: number | null;
}

export interface Plan<Option extends PlanOption = PlanOption> {
  /** Empty when no plan takes all lines. */
  shares: PlanShare<Option>[];
  options: Judged<Option>[];
  reason: string;
}

/**
 * The cheapest division of one group of lines: the cheapest target takes as many as its limits allow in the window, then
 * the next. `budget` holds what part of the window is left of each limit, over several groups.
 */
export function cheapestPlan<Option extends PlanOption>(
  options: readonly Option[],
  windowSeconds: number,
  budget: Map<string, number> = new Map(),
): Plan<Option> {
  const least = Math.min(...options.map(({ refused }) => refused));
  const judged = new Map<Option, Judgement>();
  const able: Option[] = [];
  for (const option of options) {
    const verdict = unfitness(option, least);
    if (verdict === null) able.push(option);
    else judged.set(option, verdict);
  }
  const ranked = able.toSorted((left, right) => unitCost(left) - unitCost(right));
  const shares: PlanShare<Option>[] = [];
  let left = options[0]?.requests ?? 0;
  for (const option of ranked) {
    if (left === 0) {
      judged.set(option, { verdict: 'dearer', reason: dearerBy(option, ranked[0]) });
      continue;
    }
    const requests = Math.min(left, roomFor(option, budget));
    if (requests === 0 || isTooFew(option, requests)) {
      judged.set(option, notInTime(option, requests, windowSeconds));
      continue;
    }
    left -= requests;
    const part = requests / option.requests;
    spend(option, part, budget);
    const seconds = option.seconds === null || option.mode === 'batch' ? option.seconds : option.seconds * part;
    shares.push({ option, requests, expectedNano: Math.round((option.expectedNano ?? 0) * part), seconds });
    judged.set(option, { verdict: 'chosen', reason: chosenBecause(option, requests, windowSeconds) });
  }
  const all = options.map((option) => ({ ...option, ...(judged.get(option) ?? NOT_JUDGED) }));
  if (left > 0 || shares.length === 0) return { shares: [], options: all, reason: whyNone(all, left, windowSeconds) };
  return { shares, options: all, reason: whyThese(shares, all) };
}

const NOT_JUDGED = { verdict: 'dearer', reason: 'not needed' } as const;

function unfitness(option: PlanOption, leastRefused: number): Judgement | null {
  if (option.refused > leastRefused || option.refused >= option.requests) {
    return { verdict: 'refuses', reason: `cannot take ${option.refused} of ${lines(option.requests)}` };
  }
  if (option.expectedNano === null) {
    return { verdict: 'unpriced', reason: `has no price (${option.unpricedReason ?? 'not all is priced'})` };
  }
  return isTooFew(option, option.requests) ? tooFew(option) : null;
}

function isTooFew({ linesMin }: PlanOption, requests: number): boolean {
  return linesMin !== null && requests < linesMin;
}

function tooFew({ linesMin }: PlanOption): Judgement {
  return { verdict: 'too_few', reason: `takes no batch of fewer than ${lines(linesMin ?? 0)}` };
}

function unitCost({ expectedNano, requests, refused }: PlanOption): number {
  return (expectedNano ?? Number.POSITIVE_INFINITY) / Math.max(1, requests - refused);
}

/** Lines that its limits let through in what is left of the time that it is open in the window. */
function roomFor({ mode, requests, paces, openSeconds }: PlanOption, budget: ReadonlyMap<string, number>): number {
  if (mode === 'batch') return requests;
  if (openSeconds === 0) return 0;
  return paces.reduce((least, { key, seconds }) => {
    const room = seconds === 0 ? requests : ((budget.get(key) ?? 1) * requests * openSeconds) / seconds;
    return Math.min(least, Math.floor(room));
  }, requests);
}

function spend({ mode, paces, openSeconds }: PlanOption, part: number, budget: Map<string, number>): void {
  if (mode === 'batch' || openSeconds === 0) return;
  for (const { key, seconds } of paces) {
    budget.set(key, Math.max(0, (budget.get(key) ?? 1) - (seconds * part) / openSeconds));
  }
}

function chosenBecause(option: PlanOption, requests: number, windowSeconds: number): string {
  if (requests === option.requests) return 'takes all lines';
  if (requests < option.requests && option.seconds !== null && option.mode === 'immediate') {
    return `takes ${lines(requests)}; all would need ${duration(option.seconds)} of ${duration(windowSeconds)}`;
  }
  return `takes ${lines(requests)}`;
}

function dearerBy(option: PlanOption, cheapest: PlanOption | undefined): string {
  const more = unitCost(option) / (cheapest === undefined ? 1 : unitCost(cheapest));
  if (!Number.isFinite(more)) return 'the cheapest is free';
  return more <= 1 ? 'costs as much' : `${Number(more.toPrecision(3))} times the cheapest`;
}

function notInTime(option: PlanOption, requests: number, windowSeconds: number): Judgement {
  if (requests > 0) return tooFew(option);
  if (option.openSeconds === 0) {
    return { verdict: 'too_slow', reason: `has no hours for batch lines in a window of ${duration(windowSeconds)}` };
  }
  const needed = option.seconds === null ? 'more than is left' : duration(option.seconds);
  return { verdict: 'too_slow', reason: `its limits need ${needed} for a window of ${duration(windowSeconds)}` };
}

function whyThese(shares: readonly PlanShare[], options: readonly Judged<PlanOption>[]): string {
  const [first] = shares;
  const name = first === undefined ? '' : `${first.option.target} (${first.option.mode})`;
  const compared = options.filter(({ verdict }) => verdict === 'chosen' || verdict === 'dearer').length;
  const others = options.length - compared;
  const without = others > 0 ? ` ${others} of ${options.length} cannot do it: see their reasons.` : '';
  if (shares.length > 1) {
    return `${name} costs the least, but its limits do not let all lines through in the window; the rest goes where it costs the least then.${without}`;
  }
  if (compared === 1) return `${name} is the only target and mode that can do it.${without}`;
  return `${name} costs the least of the ${compared} targets and modes that can do it in the window.${without}`;
}

function whyNone(options: readonly Judged<PlanOption>[], left: number, windowSeconds: number): string {
  if (options.length === 0) return 'No target can take these lines.';
  if (options.every(({ verdict }) => verdict === 'unpriced')) return 'No target has a price to compare.';
  return `No plan of priced targets does all lines in ${duration(windowSeconds)}: ${lines(left)} would be left.`;
}

function lines(count: number): string {
  return `${count} ${count === 1 ? 'line' : 'lines'}`;
}

function duration(seconds: number): string {
  if (seconds < 120) return `${Math.ceil(seconds)} s`;
  if (seconds < 7_200) return `${Math.ceil(seconds / 60)} min`;
  return `${Number((seconds / 3_600).toFixed(1))} h`;
}

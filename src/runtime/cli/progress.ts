import { formatCount, formatRate, formatSeconds, formatShare, isUnknown, roughUsd } from './figures.ts';
import type { Paint } from './paint.ts';
import { columnsOf } from './printable.ts';

/** Where a batch stands, as far as a bar shows it. */
export interface Standing {
  total: number;
  completed: number;
  failed: number;
  costNano: number;
  unpriced: number;
  /** What to say in place of the time left: `validating`, `paused`, … */
  state: string | null;
}

/** How fast a count grows, over the last seconds: what happened long ago says little about the time left. */
export class RateMeter {
  readonly #windowMs: number;
  #samples: { count: number; at: number }[] = [];

  constructor(windowMs = 15_000) {
    this.#windowMs = windowMs;
  }

  add(count: number, at: number): void {
    this.#samples.push({ count, at });
    // One sample from before the window stays, so that slow batches keep a rate.
    while ((this.#samples[1]?.at ?? at) < at - this.#windowMs) this.#samples.shift();
  }

  /** Per second; null while nothing can be said. */
  get perSecond(): number | null {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || last.at <= first.at || last.count <= first.count) return null;
    return ((last.count - first.count) * 1000) / (last.at - first.at);
  }
}

const BAR_MOST = 30;
const BAR_LEAST = 8;
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** A bar of exactly `width` columns, to an eighth of a column. */
export function layBar(fraction: number, width: number, paint: Paint): string {
  const eighths = Math.round(Math.min(1, Math.max(0, fraction)) * width * 8);
  const full = Math.floor(eighths / 8);
  const filled = '█'.repeat(full) + (EIGHTHS[eighths % 8] ?? '');
  const empty = width - full - (eighths % 8 === 0 ? 0 : 1);
  return paint.accent(filled) + paint.dim('░'.repeat(empty));
}

/** One line of at most `width` columns for a terminal: bar, done/total, share, rate, cost, time left, failures. */
export function layProgress(standing: Standing, perSecond: number | null, width: number, paint: Paint): string {
  if (standing.total === 0) return standing.state ?? 'waiting';
  const done = standing.completed + standing.failed;
  const parts = [
    `${formatCount(done)}/${formatCount(standing.total)}`,
    formatShare(done, standing.total),
    perSecond === null ? '' : formatRate(perSecond),
    cost(standing),
    timeLeft(standing, perSecond),
    standing.failed > 0 ? paint.bad(`${formatCount(standing.failed)} failed`) : '',
  ].filter((part) => part !== '');
  let text = parts.join('  ');
  while (columnsOf(text) > width && parts.length > 1) {
    // The last but the counts give way on a very narrow terminal.
    parts.pop();
    text = parts.join('  ');
  }
  const room = width - columnsOf(text) - 2;
  if (room < BAR_LEAST) return text;
  const fraction = standing.total > 0 ? done / standing.total : 0;
  return `${layBar(fraction, Math.min(BAR_MOST, room), paint)}  ${text}`;
}

/** The same as a sentence, for logs and pipes. */
export function sayProgress(standing: Standing, perSecond: number | null): string {
  if (standing.total === 0) return standing.state ?? 'waiting';
  const done = standing.completed + standing.failed;
  const parts = [
    `${formatCount(done)}/${formatCount(standing.total)} done (${formatShare(done, standing.total)})`,
    standing.failed > 0 ? `${formatCount(standing.failed)} failed` : '',
    perSecond === null ? '' : formatRate(perSecond),
    `${cost(standing)} so far`,
    timeLeft(standing, perSecond),
  ];
  return parts.filter((part) => part !== '').join(', ');
}

function cost(standing: Standing): string {
  const { costNano: nano, unpriced } = standing;
  if (unpriced === 0) return roughUsd(nano);
  const others = `${formatCount(unpriced)} unpriced`;
  return isUnknown({ nano, unpriced }) ? others : `${roughUsd(nano)} + ${others}`;
}

function timeLeft(standing: Standing, perSecond: number | null): string {
  if (standing.state !== null) return standing.state;
  const remaining = standing.total - standing.completed - standing.failed;
  if (perSecond === null || standing.total === 0) return '';
  return remaining <= 0 ? '' : `${formatSeconds(remaining / perSecond)} left`;
}

import { setTimeout as sleep } from 'node:timers/promises';
import type { BatchObject, BatchStatus } from '../../protocol/batch.ts';
import type { Api } from './api.ts';
import { CliError, EXIT, trouble } from './exit.ts';
import { formatSeconds } from './figures.ts';
import { Meter } from './meter.ts';
import { printable } from './printable.ts';
import { layProgress, RateMeter, type Standing, sayProgress } from './progress.ts';
import { interruptOf, type Terminal } from './terminal.ts';

const ENDED: readonly BatchStatus[] = ['failed', 'completed', 'expired', 'cancelled'];
const POLL_MS = 400;
/** Batches that take hours are asked after less often. */
const POLL_MOST_MS = 2_000;
/** A server that restarts is waited for. */
const PATIENCE_MS = 120_000;

export function hasEnded(batch: BatchObject): boolean {
  return ENDED.includes(batch.status);
}

export interface WatchOptions {
  pollMs?: number;
  sentenceMs?: number;
  /** Gives up after so long. */
  deadlineMs?: number;
  /** More to show beside the bar. */
  beside?(batch: BatchObject, width: number): Promise<Beside>;
}

export interface Beside {
  /** Lines below the bar, on a terminal. */
  lines: readonly string[];
  /** The end of the sentence, elsewhere. */
  sentence: string;
}

export interface Watched {
  batch: BatchObject;
  /** The watcher left before the batch ended. */
  isDetached: boolean;
}

/** Shows a batch's progress until it ends, or until Ctrl-C, which leaves the batch alone. Throws CliError. */
export async function watchBatch(
  api: Api,
  id: string,
  terminal: Terminal,
  options: WatchOptions = {},
): Promise<Watched> {
  const meter = new Meter(terminal, options.sentenceMs);
  const rate = new RateMeter();
  const interrupt = interruptOf(terminal);
  const poller = new Poller(api, id, terminal);
  const startedAt = terminal.now();
  try {
    for (;;) {
      const batch = await poller.next(meter);
      if (batch !== null) {
        if (hasEnded(batch)) return { batch, isDetached: false };
        const standing = standingOf(batch);
        rate.add(standing.completed + standing.failed, terminal.now());
        const beside = (await options.beside?.(batch, meter.width)) ?? { lines: [], sentence: '' };
        await meter.show(
          () => [layProgress(standing, rate.perSecond, meter.width, meter.screen.paint), ...beside.lines],
          () => sayProgress(standing, rate.perSecond) + beside.sentence,
        );
        if (interrupt.signal.aborted) return { batch, isDetached: true };
      }
      if (terminal.now() - startedAt > (options.deadlineMs ?? Number.POSITIVE_INFINITY)) {
        throw trouble(`The batch did not end within ${formatSeconds((options.deadlineMs ?? 0) / 1000)}.`);
      }
      const slower = POLL_MS + (terminal.now() - startedAt) / 100;
      await wait(options.pollMs ?? Math.min(POLL_MOST_MS, slower), interrupt.signal);
      if (interrupt.signal.aborted && batch !== null) return { batch, isDetached: true };
      if (interrupt.signal.aborted) throw new CliError(EXIT.interrupted, `Stopped. ${howToResume(id)}`);
    }
  } finally {
    interrupt.end();
    await meter.clear();
  }
}

/** What to type to go on watching. */
export function howToResume(id: string): string {
  return `The batch goes on without you. To watch it again: weir status ${printable(id)} --watch`;
}

/** Asks for the batch; a server that is away for a while is no reason to give up. */
class Poller {
  readonly #api: Api;
  readonly #id: string;
  readonly #terminal: Terminal;
  #answeredAt: number;

  constructor(api: Api, id: string, terminal: Terminal) {
    this.#api = api;
    this.#id = id;
    this.#terminal = terminal;
    this.#answeredAt = terminal.now();
  }

  /** null when the server did not answer this time. */
  async next(meter: Meter): Promise<BatchObject | null> {
    try {
      const batch = await this.#api.get<BatchObject>(`/v1/batches/${encodeURIComponent(this.#id)}`);
      this.#answeredAt = this.#terminal.now();
      return batch;
    } catch (error) {
      const silentMs = this.#terminal.now() - this.#answeredAt;
      if (!(error instanceof CliError) || error.exitCode !== EXIT.trouble) throw error;
      if (silentMs > PATIENCE_MS) {
        throw new CliError(error.exitCode, `${error.message}\n${howToResume(this.#id)}`, error.details);
      }
      const text = `No answer for ${formatSeconds(silentMs / 1000)}; trying again (${printable(error.message)})`;
      await meter.show(
        () => [text.slice(0, meter.width)],
        () => text,
      );
      return null;
    }
  }
}

async function wait(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}

const STATES: Partial<Record<BatchStatus, string>> = {
  validating: 'checking the file',
  finalizing: 'finalizing',
  cancelling: 'cancelling',
};

/** Where the batch stands, for a progress bar. */
export function standingOf(batch: BatchObject): Standing {
  const { total, completed, failed } = batch.request_counts;
  return {
    total,
    completed,
    failed,
    costNano: batch.cost.amount_nano_usd,
    unpriced: batch.cost.unpriced_entries,
    state: STATES[batch.status] ?? (batch.paused ? 'paused' : null),
  };
}

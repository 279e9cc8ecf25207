import { describeError } from '../../core/describe-error.ts';
import { type Clock, steadyMs } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { BatchRow } from '../../ports/store-batches.ts';
import { Assembly } from './assembly.ts';
import { batchLineGroups } from './lines.ts';
import { PartReader, WINDOW_LINES } from './part-reader.ts';

/** Each has buffers and up to two open files. */
const BATCHES_MAX = 4;
const LOOK_MS = 1_000;

/**
 * The files of large batches, as far as their first lines have come to an end, are written while the others run: those of
 * ten million lines are there soon after the last one. What is written so is nothing but a head start: what goes wrong on
 * the way, or with the process, is begun anew at the batch's end. For the only process on a database: others would all
 * do the same.
 */
export class Ahead {
  private readonly deps: Deps;
  private readonly begun = new Map<string, Assembly>();
  /** Something could not be read, or written: the end of the batch is time enough. */
  private readonly failed = new Set<string>();
  /** Batches at their end. */
  private readonly wanted = new Set<string>();
  private working: Promise<void> | null = null;
  private lookedAt = Number.NEGATIVE_INFINITY;
  private stopped = false;

  constructor(deps: Deps) {
    this.deps = deps;
  }

  /** Goes on with what can be gone on with by now, beside everything else. */
  look(): void {
    const now = steadyMs(this.deps.clock);
    if (this.stopped || this.working !== null || now - this.lookedAt < LOOK_MS) return;
    this.lookedAt = now;
    this.working = this.round()
      .catch((error: unknown) => this.deps.log.warn({ error: describeError(error) }, 'no batch is assembled ahead'))
      .finally(() => {
        this.working = null;
      });
  }

  /** Gives away what there is of a batch's files, for good. */
  async take(id: string): Promise<Assembly | null> {
    this.wanted.add(id);
    await this.working;
    this.wanted.delete(id);
    this.failed.delete(id);
    const assembly = this.begun.get(id) ?? null;
    this.begun.delete(id);
    return assembly;
  }

  /** Leaves nothing behind. */
  async stop(): Promise<void> {
    this.stopped = true;
    await this.working;
    await Promise.all([...this.begun.values()].map((assembly) => assembly.abort()));
    this.begun.clear();
  }

  private async round(): Promise<void> {
    const { store, settings } = this.deps;
    // The last lines are few beside those before, and what is read together is not begun for some of it.
    const step = Math.min(WINDOW_LINES, Math.ceil(settings.aheadLines / 2));
    const settled = await store.batches.settledHeads({ lines: settings.aheadLines, limit: BATCHES_MAX });
    for (const { batch, lines } of settled) {
      if (this.isHurried) return;
      if (this.failed.has(batch.id)) continue;
      const assembly = this.begun.get(batch.id) ?? this.begin(batch);
      if (assembly === null) continue;
      const steps = Math.floor((lines - assembly.next) / step);
      if (steps < 1) continue;
      await this.goOn(batch, assembly, assembly.next + steps * step).catch((error: unknown) =>
        this.giveUp(batch, assembly, error),
      );
    }
  }

  /** Somebody waits for what is being worked on. */
  private get isHurried(): boolean {
    return this.stopped || this.wanted.size > 0;
  }

  private begin(batch: BatchRow): Assembly | null {
    if (this.begun.size >= BATCHES_MAX) return null;
    const assembly = new Assembly(this.deps, batch);
    this.begun.set(batch.id, assembly);
    return assembly;
  }

  private async goOn(batch: BatchRow, assembly: Assembly, to: number): Promise<void> {
    const reader = new PartReader(this.deps.files, { forward: true, strict: true });
    const range = { from: assembly.next, to, rest: null };
    for await (const group of batchLineGroups(this.deps, batch, reader, range)) {
      const isWhole = await assembly.take(reader, group);
      if (!isWhole || this.isHurried) return;
      await nextTurn(this.deps.clock);
    }
  }

  private async giveUp({ id }: BatchRow, assembly: Assembly, error: unknown): Promise<void> {
    this.deps.log.warn({ batch: id, error: describeError(error) }, 'the batch is assembled at its end only');
    this.begun.delete(id);
    if (!this.wanted.has(id)) this.failed.add(id);
    await assembly.abort();
  }
}

function nextTurn(clock: Clock): Promise<void> {
  return clock.afterTurn === undefined ? clock.sleep(0) : new Promise((resolve) => clock.afterTurn?.(resolve));
}

import { ApiError } from '../../core/api-error.ts';
import { formatTimedId, TIMED_ID_BYTES } from '../../core/ids.ts';
import { cameInTime } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { Journal, Journals } from '../../ports/journal.ts';
import type { LedgerEntryRow } from '../../ports/store-ledger.ts';
import { EntryTexts } from './entry-texts.ts';

/** Entries of one write. */
const GROUP_MAX = 500;
/** Without a journal, calls whose ends are near wait so long for each other, so that they share a write. */
const GATHER_MS = 2;
/** With one, nobody waits for the write. */
const JOURNALED_MS = 50;
const RETRY_MS = 250;
/** Where neither can be written, calls that were paid for wait so long; then they are answered, and their entries wait here. */
const ANSWERED_MS = 10_000;
/** Entries that may wait for a database that does not answer; beyond, calls are refused before they cost anything. */
const WAITING_MAX = 10_000;
/** Why nobody waits any longer. Without a reason an abort makes an error for one, with its stack. */
const ENOUGH = 'enough';

export type WriterDeps = Pick<Deps, 'store' | 'log' | 'clock' | 'random' | 'journals'>;

/** A journal, and the number of a line in it. */
interface JournalMark {
  id: string;
  position: number;
}

/** Entries that one line of the journal keeps: those of calls that end side by side. */
interface Gathered {
  entries: LedgerEntryRow[];
  safe: Promise<void>;
}

interface Waiting {
  entries: readonly LedgerEntryRow[];
  /** Where the journal keeps them; null when it does not. */
  place: JournalMark | null;
  /** The hold that ends when they are written. */
  released?: string;
  written: () => void;
}

const ignore = (): void => undefined;

/**
 * Makes entries of single calls durable, many in one write, before their answers are given. Where there is a journal,
 * a line in it is enough for that, and the write follows within moments: a process that is killed loses nothing that
 * was answered (recover-journals.ts), a machine that goes down the last moments. Where there is none, calls wait for it.
 */
export class EntryWriter {
  private readonly deps: WriterDeps;
  private readonly waiting: Waiting[] = [];
  private waitingEntries = 0;
  private writing: Promise<void> | null = null;
  /** Of those that wait, the ones that nothing but this process keeps. */
  private unkeptEntries = 0;
  /** The last try to write failed. */
  private isFailing = false;
  /** Calls begun and not ended: as long as there are more than are waiting, others may join a write. */
  private open = 0;
  private journal: Journal | null = null;
  /** The line of the journal that others may still join. */
  private gathered: Gathered | null = null;
  /** The newest line on its way into the journal. */
  private keeping: Promise<unknown> | null = null;
  private hurry = new AbortController();
  private readonly texts = new EntryTexts();
  /** Readers that wait for everything. */
  private flushing = 0;

  constructor(deps: WriterDeps) {
    this.deps = deps;
  }

  /**
   * A call begins. Throws 503 while its entry might not be kept: the database is far behind, or neither it nor the journal can
   * be written. Such a call would be paid for, and its answer held back until one of them can.
   */
  begin(): void {
    if (this.waitingEntries >= WAITING_MAX || (this.isFailing && (this.unkeptEntries > 0 || this.isCramped))) {
      throw new ApiError(503, 'The ledger cannot be written at the moment. Try again in a few seconds.', {
        code: 'ledger_unavailable',
        retryAfterSeconds: 5,
      });
    }
    // Opened before there is anything to keep, it has room for it whatever becomes of the disk meanwhile.
    if (this.journal === null && this.deps.journals !== undefined) this.openJournal(this.deps.journals);
    this.open += 1;
  }

  private get isCramped(): boolean {
    return this.journal?.isCramped === true;
  }

  /** A call is over, its entries included. */
  end(): void {
    this.open -= 1;
  }

  /**
   * Takes the entries over, and names them. Resolves when they are safe; on a machine where they cannot be written anywhere
   * for long, without that: they are written when they can be, if the process lives to see it.
   */
  add(entries: readonly LedgerEntryRow[]): Promise<void> {
    if (entries.length === 0) return Promise.resolve();
    const { clock, random } = this.deps;
    const now = clock.now();
    for (const entry of entries) entry.id = formatTimedId('entry_', now, random.bytes(TIMED_ID_BYTES));
    this.waitingEntries += entries.length;
    const { journals } = this.deps;
    if (journals === undefined) return this.write(entries);
    this.gathered ??= this.beginLine(journals);
    this.gathered.entries.push(...entries);
    return this.gathered.safe;
  }

  private beginLine(journals: Journals): Gathered {
    const entries: LedgerEntryRow[] = [];
    const over = (): void => {
      if (this.gathered?.entries === entries) this.gathered = null;
    };
    const keeping = this.keep(journals, () => {
      over();
      return this.texts.listOf(entries);
    });
    // What the journal is still taking in may not be written yet: its mark would not cover it.
    this.keeping = keeping;
    const safe = keeping.then((place) => {
      over();
      const written = place === null ? this.writeInTime(entries) : this.writeLater({ entries, place, written: ignore });
      if (this.keeping === keeping) this.keeping = null;
      return written;
    });
    return { entries, safe };
  }

  /** Resolves when the entries are in the database. */
  private write(entries: readonly LedgerEntryRow[]): Promise<void> {
    this.unkeptEntries += entries.length;
    return new Promise((resolve) => {
      const written = (): void => {
        this.unkeptEntries -= entries.length;
        resolve();
      };
      this.writeLater({ entries, place: null, written });
    });
  }

  private async writeInTime(entries: readonly LedgerEntryRow[]): Promise<void> {
    if (await cameInTime(this.deps.clock, this.write(entries), ANSWERED_MS)) return;
    this.deps.log.error({ entries: entries.length }, 'calls are answered before their entries are safe');
  }

  private writeLater(waiting: Waiting): void {
    this.waiting.push(waiting);
    if (this.waitingEntries >= GROUP_MAX && !this.hurry.signal.aborted) this.hurry.abort(ENOUGH);
    this.startWriting();
  }

  /** Ends a call's hold at its budgets, with the write of its entries or after it. */
  release(hold: string): void {
    this.waiting.push({ entries: [], place: null, released: hold, written: ignore });
    this.startWriting();
  }

  /** Resolves when everything that was added is in the database. */
  async flush(): Promise<void> {
    this.flushing += 1;
    this.hurry.abort(ENOUGH);
    while (this.keeping !== null || this.writing !== null) await (this.keeping ?? this.writing);
    this.flushing -= 1;
  }

  /** As `flush`, for at most `ms`; then the journal is not needed any more. */
  async close(ms: number): Promise<void> {
    await cameInTime(this.deps.clock, this.flush(), ms);
    if (this.waitingEntries > 0) {
      this.deps.log.error({ entries: this.waitingEntries }, 'ledger entries wait in the journal for the next start');
      return;
    }
    const { journal } = this;
    this.journal = null;
    if (journal === null) return;
    journal.close();
    await this.deps.store.ledger.forgetJournal(journal.id);
  }

  /** Keeps a line in the journal; null when it cannot be written: then the database must have its entries. */
  private keep(journals: Journals, line: () => string): Promise<JournalMark | null> {
    const journal = this.journal ?? this.openJournal(journals);
    if (journal === null) return Promise.resolve(null);
    const { id } = journal;
    return journal.append(line).then((position) => ({ id, position }), this.refused);
  }

  private openJournal(journals: Journals): Journal | null {
    try {
      this.journal = journals.open();
    } catch (error) {
      return this.refused(error);
    }
    return this.journal;
  }

  private readonly refused = (error: unknown): null => {
    this.deps.log.error({ err: error }, 'the journal cannot be written; calls wait for the database');
    return null;
  };

  private startWriting(): void {
    this.writing ??= this.writeAll().finally(() => {
      this.writing = null;
      // What came while the last group was being told, or the journal changed.
      if (this.waiting.length > 0) this.startWriting();
    });
  }

  private async writeAll(): Promise<void> {
    while (this.waiting.length > 0) {
      this.hurry = new AbortController();
      await this.gather();
      const group = this.takeGroup();
      const entries = group.flatMap((waiting) => waiting.entries);
      const released = group.flatMap((waiting) => waiting.released ?? []);
      await this.append(entries, group.findLast(({ place }) => place !== null)?.place ?? null, released);
      this.waitingEntries -= entries.length;
      for (const { written } of group) written();
    }
    await this.rotate();
  }

  /** Waits for others to share the write, as far as that keeps nobody. */
  private async gather(): Promise<void> {
    if (this.waitingEntries >= GROUP_MAX || this.flushing > 0) return;
    if (this.journal !== null) await this.deps.clock.sleep(JOURNALED_MS, this.hurry.signal);
    else if (this.open > this.waiting.length) await this.deps.clock.sleep(GATHER_MS);
  }

  private takeGroup(): Waiting[] {
    let entries = 0;
    let count = 0;
    for (const next of this.waiting) {
      entries += next.entries.length;
      if (count > 0 && entries > GROUP_MAX) break;
      count += 1;
    }
    return this.waiting.splice(0, count);
  }

  private async append(
    entries: readonly LedgerEntryRow[],
    mark: JournalMark | null,
    released: readonly string[],
  ): Promise<void> {
    for (;;) {
      try {
        await this.deps.store.ledger.appendCalls(entries, mark, released);
        this.isFailing = false;
        return;
      } catch (error) {
        this.isFailing = true;
        this.deps.log.error({ err: error, entries: entries.length }, 'the ledger could not be written; trying again');
        await this.deps.clock.sleep(RETRY_MS);
      }
    }
  }

  private async rotate(): Promise<void> {
    const { journal } = this;
    if (journal === null || this.waiting.length > 0 || this.keeping !== null) return;
    const { id } = journal;
    journal.rotate();
    if (journal.id === id) return;
    await this.deps.store.ledger.forgetJournal(id).catch((error: unknown) => {
      this.deps.log.warn({ err: error }, 'the mark of an old journal stays');
    });
  }
}

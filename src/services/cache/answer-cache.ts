import type { Result, Success } from '../../../providers/contract.ts';
import type { AnswerCache, CacheAsk } from '../../ports/answer-cache.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Deps } from '../../ports/deps.ts';
import type { CachedAnswerRow } from '../../ports/store-cache.ts';

/** Larger answers are not kept. */
const ANSWER_LENGTH_MAX = 256 * 1024;
/** Answers are kept in groups of so many, or after this. */
const GROUP_MAX = 100;
const GATHER_MS = 100;

type CacheDeps = Pick<Deps, 'store' | 'clock' | 'log' | 'common'>;

/** The cache of one engine: its own requests share what is under way, with other engines what is in the database. */
export function createAnswerCache(deps: CacheDeps): AnswerCache {
  return new DatabaseCache(deps);
}

class DatabaseCache implements AnswerCache {
  private readonly deps: CacheDeps;
  /** What is being asked for now, by key, and what was answered and is not in the database yet. */
  private readonly underWay = new Map<string, Promise<Result>>();
  private waiting: CachedAnswerRow[] = [];
  /** Those that wait, and those that are being written, by key: they are found already. */
  private readonly unwritten = new Map<string, CachedAnswerRow>();
  private keeping: Promise<void> | null = null;

  constructor(deps: CacheDeps) {
    this.deps = deps;
  }

  async find(asks: readonly CacheAsk[]): Promise<{ key: string; answer: Success } | null> {
    const answers = await this.findAll(asks);
    for (const { key } of asks) {
      const answer = answers.get(key);
      if (answer !== undefined) return { key, answer };
    }
    return null;
  }

  /** Nothing when the database does not answer. */
  async findAll(asks: readonly CacheAsk[]): Promise<Map<string, Success>> {
    const held = new Map(asks.flatMap(({ key }) => this.unwritten.get(key) ?? []).map((row) => [row.key, row]));
    const keys = asks.map(({ key }) => key).filter((key) => !held.has(key));
    const answers = new Map<string, Success>();
    try {
      const now = unixSeconds(this.deps.clock);
      if (keys.length > 0) for (const row of await this.deps.store.cache.find(keys, now)) held.set(row.key, row);
      for (const { key, tenantId, maxAgeSeconds } of asks) {
        const row = held.get(key);
        // A route may have become stricter since.
        if (row === undefined || row.tenantId !== tenantId || row.createdAt + maxAgeSeconds <= now) continue;
        const answer = this.read(row);
        if (answer !== null) answers.set(key, answer);
      }
    } catch (error) {
      this.deps.log.warn({ err: error }, 'the cache does not answer');
    }
    return answers;
  }

  /** null for one that a disk has changed: it is asked for anew. */
  private read({ key, answer }: CachedAnswerRow): Success | null {
    try {
      return JSON.parse(answer) as Success;
    } catch (error) {
      this.deps.log.warn({ err: error, key }, 'a kept answer cannot be read');
      return null;
    }
  }

  async through(ask: CacheAsk, make: () => Promise<Result>): Promise<{ result: Result; cached: boolean }> {
    for (;;) {
      const begun = this.underWay.get(ask.key);
      if (begun === undefined) break;
      const result = await begun;
      if (result.ok) return { result, cached: true };
      // It failed for the one who asked: the next one tries for itself.
      if (this.underWay.get(ask.key) === begun) this.underWay.delete(ask.key);
    }
    let cached = false;
    let endTurn = (): void => undefined;
    const asking = (async (): Promise<Result> => {
      // What another engine of this server asks for now is found afterwards.
      if (this.deps.common) endTurn = await this.deps.common.turn(ask.key);
      const known = await this.find([ask]);
      cached = known !== null;
      return known?.answer ?? make();
    })();
    this.underWay.set(ask.key, asking);
    const done = (): void => {
      endTurn();
      if (this.underWay.get(ask.key) === asking) this.underWay.delete(ask.key);
    };
    try {
      const result = await asking;
      if (!result.ok || cached) done();
      else void this.keep(ask, result).then(done);
      return { result, cached };
    } catch (error) {
      done();
      throw error;
    }
  }

  keep({ key, tenantId, maxAgeSeconds }: CacheAsk, answer: Success): Promise<void> {
    if (answer.body.length > ANSWER_LENGTH_MAX) return Promise.resolve();
    const createdAt = unixSeconds(this.deps.clock);
    const text = JSON.stringify({ ...answer, body: answer.body, bytes: undefined, warnings: [] });
    const row = { key, tenantId, answer: text, createdAt, expiresAt: createdAt + maxAgeSeconds };
    this.waiting.push(row);
    this.unwritten.set(key, row);
    this.keeping ??= this.keepAll().finally(() => {
      this.keeping = null;
    });
    return this.keeping;
  }

  private async keepAll(): Promise<void> {
    while (this.waiting.length > 0) {
      if (this.waiting.length < GROUP_MAX) await this.deps.clock.sleep(GATHER_MS);
      const rows = this.waiting.splice(0, GROUP_MAX);
      await this.deps.store.cache.keep(rows).catch((error: unknown) => {
        this.deps.log.warn({ err: error, answers: rows.length }, 'answers could not be kept');
      });
      for (const row of rows) if (this.unwritten.get(row.key) === row) this.unwritten.delete(row.key);
    }
  }
}

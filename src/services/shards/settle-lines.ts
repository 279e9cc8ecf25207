import { Buffer } from 'node:buffer';
import type { Result } from '../../../providers/contract.ts';
import { routeNameOf } from '../../core/budget-scope.ts';
import type { Failure } from '../../core/failure.ts';
import { type Unfit, unfitWarning, type Verdict } from '../../core/healing.ts';
import { batchUsageOf, emptyUsage, toBatchUsage } from '../../core/usage.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { LedgerEntryRow, LineTotal } from '../../ports/store-ledger.ts';
import type { RequestLine } from '../../protocol/request-line.ts';
import { cachedEntry } from '../cache/cached-entry.ts';
import { priceAttempt, withVerdict } from '../ledger/price-attempt.ts';
import type { PricedProvider } from '../ledger/provider-rates.ts';
import { givenUp } from '../results/given-up.ts';
import {
  type FinishedAttempt,
  type LineResult,
  resultOfAttempt,
  resultOfFailure,
  resultOfUnfit,
} from '../results/line-result.ts';
import { SpareAnswers } from '../results/spare-answers.ts';
import { writePart } from '../results/write-part.ts';
import type { ShardLine, ShardWork } from './shard-work.ts';
import { LeaseLost } from './shard-work.ts';
import { rangeOf, unfitAnswers } from './unfit-answers.ts';
import { judge, outlives } from './ways-on.ts';

/** What is needed to enter a line of a shard; its provider may be gone. */
export type EntryWork = Pick<ShardWork, 'deps' | 'batch' | 'shard' | 'lane' | 'candidate'> & {
  provider: PricedProvider;
};

/** What became of a line in a provider batch. */
export interface ShardOutcome {
  line: ShardLine;
  request: RequestLine;
  /** null when it never was in a provider batch (refused before), or is missing from the answers. */
  result: Result | null;
  /** Why it has no result; null with a success. */
  failure: Failure | null;
  warnings: string[];
  /** The provider's untouched line, when there was one. */
  raw?: string | null;
  /** True when the usage is a share of the provider batch's totals. */
  isEstimated?: boolean;
  /** True when the answer was bought for another line: it costs nothing, and a failure is no attempt of this line's. */
  isShared?: boolean;
}

/**
 * Makes the outcomes of some lines durable in one commit: successes and final failures become results, and every line
 * that was in the provider batch gets its ledger entry. Lines that have somewhere else to go stay without a result: the
 * shard's follow-up takes them. `last` says that there is no elsewhere any more (the batch stops). Answers the lines
 * (0-based) that have results now.
 */
export async function settleLines(
  work: ShardWork,
  outcomes: readonly ShardOutcome[],
  options: { name: string; known: ReadonlySet<number>; last: boolean },
): Promise<ReadonlySet<number>> {
  const { deps, shard } = work;
  if (outcomes.length === 0) return new Set();
  const spent = await spentOn(work, outcomes);
  const lines: LineResult[] = [];
  const entries: LedgerEntryRow[] = [];
  /** What is left of lines that are tried again, if that comes to nothing. */
  const left: LineResult[] = [];
  const [first, last] = rangeOf(outcomes.map(({ line }) => line));
  const answers = new SpareAnswers(givenUp(deps), { batchId: shard.batchId, firstLine: first - 1, lastLine: last - 1 });
  const unfit = await unfitAnswers(
    work,
    outcomes.map(({ line }) => line),
  );
  for (const outcome of outcomes) {
    const { result, isShared = false } = outcome;
    const entered = unfit.get(outcome.line.line + 1) ?? [];
    // An answer that an earlier look has entered is the one that is judged: it is none of those before.
    const isEntered = result?.ok === true && options.known.has(outcome.line.line + 1);
    const before = isEntered ? entered.slice(0, -1) : entered;
    const verdict = judge(work, outcome, before, options.last);
    const ran = result !== null && (result.ok || (result.failure.reachedProvider && !isShared));
    const past = spent.get(outcome.line.line + 1);
    const goesOn = verdict.do === 'retry' || (!options.last && outlives(work, outcome, before));
    // Of a shared answer that is not taken nothing is to be told: it is another line's attempt.
    const isNew = ran && !options.known.has(outcome.line.line + 1) && !(isShared && goesOn);
    const number = (past?.attempts ?? 0) + (isNew ? 1 : 0);
    const entry = isNew ? withVerdict(entryOf(work, outcome, number, !goesOn), verdict) : null;
    if (entry) entries.push(entry);
    const told = { before, attempts: Math.max(1, number), costNano: costOf(past, entry) };
    if (verdict.do === 'retry') {
      work.healing.set(outcome.line.line, verdict.candidate);
      if (entry) left.push(resultOf(work, outcome, judge(work, outcome, before, true), told));
    } else if (!goesOn) lines.push((await spareOf(outcome, told, answers)) ?? resultOf(work, outcome, verdict, told));
  }
  const settled = new Set(lines.map(({ line }) => line));
  if (lines.length === 0 && entries.length === 0) return settled;
  const part = lines.length > 0 ? await writePart(deps, shard.batchId, options.name, lines) : null;
  const spare = left.length > 0 ? await writePart(deps, shard.batchId, partName(work, 'spare'), left) : null;
  const outcome = await deps.store.shards.commit({
    batchId: shard.batchId,
    now: unixSeconds(deps.clock),
    shardId: shard.id,
    leaseToken: shard.leaseToken,
    part,
    spare,
    entries,
    completed: lines.filter((line) => line.succeeded).length,
    failed: lines.filter((line) => !line.succeeded).length,
    usage: batchUsageOf(lines.map((line) => line.usage)),
  });
  if (!outcome.ok) throw new LeaseLost();
  return settled;
}

/**
 * The name of a part of a shard, like no other's: what is settled differs each time that lines are looked at, even where the
 * first of them is the same, as lines that go on have no result.
 */
export function partName({ deps, shard }: Pick<ShardWork, 'deps' | 'shard'>, what: string): string {
  return `${shard.id}-${what}-${Buffer.from(deps.random.bytes(8)).toString('hex')}`;
}

/** Enters lines that were in a provider batch whose answers are lost: what they cost nobody can say. */
export async function recordDoubt(
  work: EntryWork,
  lines: readonly Pick<ShardOutcome, 'line' | 'request'>[],
): Promise<void> {
  if (lines.length === 0) return;
  const outcomes = lines.map((each) => ({ ...each, result: null, failure: null, warnings: [], raw: null }));
  const spent = await spentOn(work, outcomes);
  const outcome = await work.deps.store.shards.commit({
    batchId: work.shard.batchId,
    now: unixSeconds(work.deps.clock),
    shardId: work.shard.id,
    leaseToken: work.shard.leaseToken,
    part: null,
    entries: outcomes.map((each) => entryOf(work, each, (spent.get(each.line.line + 1)?.attempts ?? 0) + 1, false)),
    completed: 0,
    failed: 0,
    usage: toBatchUsage(emptyUsage),
  });
  if (!outcome.ok) throw new LeaseLost();
}

/** What the lines' attempts came to so far, by 1-based line. */
async function spentOn(
  work: Pick<ShardWork, 'deps' | 'shard'>,
  outcomes: readonly ShardOutcome[],
): Promise<Map<number, LineTotal>> {
  if (outcomes.length === 0) return new Map();
  const [first, last] = rangeOf(outcomes.map(({ line }) => line));
  return work.deps.store.ledger.spent(work.shard.batchId, first, last);
}

/** What a line came to with its last attempt; null where nothing is known of it but that it was not free. */
function costOf(past: LineTotal | undefined, entry: LedgerEntryRow | null): number | null {
  const amounts = [past ? past.amountNano : 0, entry ? entry.amountNano : 0];
  const sum = amounts.reduce<number>((total, amount) => total + (amount ?? 0), 0);
  return sum === 0 && amounts.includes(null) ? null : sum;
}

/** What is entered of a line; its id is not known where its input is gone. */
export type EnteredLine = Pick<ShardOutcome, 'line' | 'result' | 'isEstimated' | 'isShared'> & {
  request: { customId: string | null };
};

/** The ledger entry of a line's place in a provider batch, at the provider's batch price. */
export function entryOf(work: EntryWork, outcome: EnteredLine, attempt: number, final: boolean): LedgerEntryRow {
  const { deps, batch, shard, provider, candidate } = work;
  const entry = priceAttempt(deps, {
    tenantId: batch.tenantId,
    keyId: batch.keyId,
    batchId: batch.id,
    customId: outcome.request.customId,
    line: outcome.line.line + 1,
    attempt,
    mode: 'batch',
    tags: batch.metadata,
    route: routeNameOf(batch.configName, work.lane),
    provider,
    candidate,
    result: outcome.result,
    final,
    at: unixSeconds(deps.clock),
    ranAt: shard.ranAt ?? shard.endedAt ?? undefined,
    latencyMs: null,
    gpuMicroseconds: null,
  });
  const own = outcome.isShared === true ? cachedEntry(entry) : entry;
  return { ...own, estimated: own.estimated || outcome.isEstimated === true, shardId: shard.id };
}

/** What there is to tell of a line's tries. */
interface Told {
  before: readonly Unfit[];
  attempts: number;
  costNano: number | null;
}

/** The answer that a line without a better one is left with; null where there is none. */
async function spareOf(
  { line, result, failure }: ShardOutcome,
  { before, attempts, costNano }: Told,
  answers: SpareAnswers,
): Promise<LineResult | null> {
  if (before.length === 0 || failure === null || result?.ok) return null;
  return answers.resultOf(line.line, { attempts, costNano, warning: `a retry failed: ${failure.message}` });
}

function resultOf(
  work: ShardWork,
  outcome: ShardOutcome,
  verdict: Verdict,
  { before, attempts, costNano }: Told,
): LineResult {
  const warnings = [...before.map(unfitWarning), ...outcome.warnings];
  if (verdict.do === 'take' && verdict.warning !== null) warnings.push(verdict.warning);
  const attempt: FinishedAttempt = {
    batchId: work.batch.id,
    line: outcome.line.line,
    customId: outcome.request.customId,
    candidate: work.candidate,
    attempts,
    costNano,
    warnings,
    ...(work.batch.options?.includeRaw && outcome.raw != null && { raw: outcome.raw }),
  };
  if (verdict.do === 'fail' && outcome.result?.ok) return resultOfUnfit(attempt, outcome.result, verdict.failure);
  if (outcome.result) return resultOfAttempt(attempt, outcome.result);
  if (outcome.failure) return resultOfFailure(attempt, outcome.failure, null);
  throw new Error('a line was settled without a result or a failure');
}

import { createHash } from 'node:crypto';
import { type BatchResult, ProviderError } from '../../../providers/contract.ts';
import type { Failure } from '../../core/failure.ts';
import { refusal } from '../../core/failure.ts';
import { unixSeconds } from '../../ports/clock.ts';
import { endShard, failLines } from './end.ts';
import { failuresLast } from './failures-last.ts';
import { keepAnswers } from './keep-answers.ts';
import { doubtLines } from './lost.ts';
import { refuseOtherPlace } from './misplaced.ts';
import { lineOfKey } from './native-input.ts';
import { type Answered, outcomesOf } from './outcomes.ts';
import { sharingOf } from './questions.ts';
import { partName, settleLines } from './settle-lines.ts';
import type { ShardLine, ShardWork } from './shard-work.ts';
import { providerBatch, unfinishedLines } from './shard-work.ts';
import { untilFailure } from './until-failure.ts';
import { usageShares } from './usage-shares.ts';

const LINES_AT_ONCE = 500;
const BYTES_AT_ONCE = 16 * 1024 ** 2;
/** Downloads of one step; a later step reads again. */
const MOST_READINGS = 4;
/** From so many lines on, damage to more than half of them is not believed for as long as the answers may be waited for. */
const MANY_LINES = 10;
/** Answers that the provider counts and does not show are waited for so long after the end. */
const LATE_SECONDS = 600;
const SENSELESS_CODES: ReadonlySet<string> = new Set(['bad_response', 'damaged_row', 'response_too_large']);

/**
 * Reads the answers of an ended provider batch into parts and ledger entries. It may run twice: lines with results, and
 * entries of this shard, are known and left out. An answer counts for the line whose key it carries and for no other;
 * a second answer for a line, or one for a line that is not the shard's, is logged and dropped.
 *
 * Where lines lack an answer that can be used, and the download looks damaged, it is fetched again before anything is
 * called missing: a line that was answered would be bought twice. What two downloads agree on is what the provider holds.
 * Rejects with ProviderError when they do not agree, or most of it is damaged: the step is taken again later.
 */
export async function collectShard(work: ShardWork, ended: Failure | null): Promise<void> {
  const { deps, shard } = work;
  let reading = await readAnswers(work, 'careful');
  if (reading.missing.length > 0) refuseOtherPlace(work, reading.lines, shard);
  for (let readings = 1; reading.isDoubtful; readings++) {
    const { digest, doubtful } = reading;
    deps.log.warn({ shard: shard.id, provider: shard.provider, doubtful, readings }, 'the answers look damaged');
    if (readings >= MOST_READINGS) throw damaged(work, doubtful);
    await deps.clock.sleep(deps.settings.pollSecondsMin * 1000, work.call.signal);
    reading = await readAnswers(work, 'careful');
    if (!reading.isDoubtful || reading.digest !== digest || reading.isMostlyDamaged) continue;
    // What the provider counts and does not show yet may appear: its lines are not bought again so soon.
    if (reading.isShort && mayAppear(work)) throw short(work, reading.missing.length);
    reading = await readAnswers(work, 'trusting');
    break;
  }
  if (reading.unknown + reading.repeated > 0) {
    const { unknown, repeated } = reading;
    deps.log.warn({ shard: shard.id, unknown, repeated }, 'answers that belong to no line');
  }
  const why = ended ?? missingFailure();
  // What the provider has done by its own count and does not show is paid for; what it counts nowhere may be.
  const isUncounted = ended === null && !addsUp(shard.counts);
  if (isUncounted || (shard.counts !== null && reading.isShort)) await doubtLines(work, reading.missing);
  if (reading.missing.length > 0 && work.batch.stop === null) await failLines(work, reading.missing, why);
  await endShard(work, await unfinishedLines(work), why);
}

/**
 * Settles those answers of an ended provider batch that can be read and make sense, before the rest is given up. Answers
 * the lines that have none; undefined where nothing that comes is to be trusted.
 */
export async function collectReadable(work: ShardWork): Promise<ShardLine[] | undefined> {
  try {
    return (await readAnswers(work, 'lenient')).missing;
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    return undefined;
  }
}

interface Reading {
  /** All lines that were read, whatever they are. */
  lines: number;
  /** Lines of the shard without a result and without an answer that was settled. */
  missing: ShardLine[];
  /** Answers with a key that is none of the shard's, or with none. */
  unknown: number;
  repeated: number;
  /** Answers that make no sense, and that were not settled. */
  doubtful: number;
  /** There are fewer answers than the provider counts successes. */
  isShort: boolean;
  /** Lines are missing, and something suggests that the download is at fault. */
  isDoubtful: boolean;
  isMostlyDamaged: boolean;
  /** Of everything that was in doubt: two downloads with the same digest are the same. */
  digest: string;
}

/**
 * Reads the answers once. `careful` settles those that make sense, `trusting` also those that make none, `lenient` the
 * careful ones of a reading that fails, too.
 */
async function readAnswers(work: ShardWork, mode: 'careful' | 'trusting' | 'lenient'): Promise<Reading> {
  const { shard } = work;
  const open = new Map((await unfinishedLines(work)).map((line) => [line.line, line]));
  const { asked, sharers, waiting } = await sharingOf(work, [...open.values()]);
  const known = await work.deps.store.shards.ledgeredLines(shard.id);
  const shares = usageShares(work, providerBatch(work));
  const hash = createHash('sha256');
  const seen = new Set<number>();
  const count = { lines: 0, unknown: 0, repeated: 0, doubtful: 0, records: 0 };
  let group: Answered[] = [];
  let bytes = 0;
  const flush = async (): Promise<void> => {
    if (group.length > 0) {
      const outcomes = await outcomesOf(work, group, shares);
      // Kept first: who waits for these answers finds them once this shard is done, wherever a crash comes between.
      await keepAnswers(work, outcomes);
      await settleLines(work, outcomes, { name: partName(work, 'answers'), known, last: work.batch.stop !== null });
    }
    group = [];
    bytes = 0;
  };
  const answers = work.api.results(providerBatch(work), work.call);
  for await (const answer of failuresLast(mode === 'lenient' ? untilFailure(answers, { failure: null }) : answers)) {
    count.lines += 1;
    const number = lineOfKey(answer.key);
    const lines = number === null ? [] : [open.get(number) ?? [], sharers.get(number) ?? []].flat();
    if (number !== null && seen.has(number)) count.repeated += 1;
    else if (number === null || lines.length === 0) {
      if (known.has((number ?? -1) + 1)) count.records += answer.records ?? 1;
      else {
        count.unknown += 1;
        hash.update(`${answer.raw}\n`);
      }
    } else if (mode !== 'trusting' && makesNoSense(answer)) {
      count.doubtful += 1;
      hash.update(`${answer.raw}\n`);
    } else {
      seen.add(number);
      count.records += answer.records ?? 1;
      // Why such a line has no answer is its batch's to say: it expired, was cancelled, or its money is spent.
      if (work.batch.stop !== null && isUnrun(answer)) continue;
      for (const line of lines) {
        group.push({ line, answer, isShared: line.line !== number });
        bytes += sizeOf(answer);
        if (group.length >= LINES_AT_ONCE || bytes >= BYTES_AT_ONCE) await flush();
      }
    }
  }
  await flush();
  const answered = new Set(
    [...seen].flatMap((number) => [number, ...(sharers.get(number) ?? []).map(({ line }) => line)]),
  );
  const missing = [...open.values()].filter(({ line }) => !answered.has(line) && !waiting.has(line));
  const expected = asked === null ? open.size : [...open.keys()].filter((line) => asked.has(line)).length;
  const isShort = count.records < (shard.counts?.succeeded ?? 0);
  const lost = Math.min(missing.length, count.doubtful + count.unknown);
  return {
    ...count,
    missing,
    isDoubtful: missing.length > 0 && (lost > 0 || isShort),
    isShort,
    isMostlyDamaged: lost >= MANY_LINES && lost * 2 > expected,
    digest: hash.update(String(missing.length)).digest('hex'),
  };
}

/** Whether every line is counted as done or failed; what was counted last while a batch ran may be all there is. */
function addsUp(counts: ShardWork['shard']['counts']): boolean {
  return counts !== null && counts.succeeded + counts.failed >= counts.total;
}

/** About the bytes that are held for an answer, without making its text. */
function sizeOf(answer: BatchResult): number {
  return answer.rawLength ?? answer.raw.length;
}

/** A line that its provider left out, as it was told to or its time was over. */
function isUnrun({ result }: BatchResult): boolean {
  if (result.ok || result.failure.reachedProvider) return false;
  return result.failure.kind === 'cancelled' || result.failure.kind === 'expired';
}

/** An answer that is none, and names no usage: as damage on the way would leave it. */
function makesNoSense({ result }: BatchResult): boolean {
  return !result.ok && result.usage === null && SENSELESS_CODES.has(result.failure.code);
}

function mayAppear({ deps, shard, batch }: ShardWork): boolean {
  const patience = batch.stop === null ? LATE_SECONDS : Math.min(LATE_SECONDS, deps.settings.cancelSeconds);
  return unixSeconds(deps.clock) - (shard.endedAt ?? 0) < patience;
}

function short({ provider }: ShardWork, lines: number): ProviderError {
  const message = `${provider.name} ended the batch and does not show all answers that it counts: ${lines} lines have none.`;
  return new ProviderError({ ...refusal('bad_response', 'results_incomplete', message), reachedProvider: true });
}

function damaged({ provider }: ShardWork, lines: number): ProviderError {
  const message = `${provider.name} sent results of which ${lines} or more lines make no sense, several times.`;
  return new ProviderError({ ...refusal('bad_response', 'results_damaged', message), reachedProvider: true });
}

function missingFailure(): Failure {
  return {
    ...refusal('interrupted', 'result_missing', 'The provider ended the batch without an answer for this request.'),
    // It was in the provider batch: nobody can say that it was not billed.
    reachedProvider: true,
  };
}

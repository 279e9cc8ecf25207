/**
 * Lines that ask the same, where their route or key lets answers be given again. A line whose answer is kept gets it; of
 * lines of a shard that are alike one is sent, and its answer is for all; a line that another shard asks for already waits
 * for that shard, as the next shard of its lines. Which line asks is noted before anything is sent (StoreShards.ask).
 */
import { parseRequestLine } from '../../core/validate-input.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { AskedLine, Asker } from '../../ports/store-shards.ts';
import type { RequestLine } from '../../protocol/request-line.ts';
import { ForwardReader } from '../batches/forward-reader.ts';
import { cacheAsk, keyCacheSeconds, questionKey } from '../cache/cache-key.ts';
import { nativeLine, tooFew } from './native-input.ts';
import { partName, settleLines } from './settle-lines.ts';
import { LeaseLost, type ShardLine, type ShardWork } from './shard-work.ts';
import { unfitAnswers } from './unfit-answers.ts';
import { nextCandidate } from './ways-on.ts';

/** So many kept answers may be in memory at once, each of which may be large. */
const LINES_AT_ONCE = 100;
const BYTES_AT_ONCE = 16 * 1024 ** 2;
const NOTED_AT_ONCE = 2_000;
/** For another batch's answer a line waits this part of its window; for one of its own batch as long as that may take. */
const WAIT_SHARE = 1 / 4;

interface Question extends AskedLine {
  place: ShardLine;
  /** It shares no answer: the provider does not take it, or the answer that is kept does not serve. */
  isAlone: boolean;
}

interface ParsedLine {
  line: ShardLine;
  request: RequestLine;
}

/**
 * Gives kept answers to those of `lines` that have one, and notes which of the others the shard asks for: those are
 * answered, in file order. The rest of `lines` have results now, share an answer, or wait. Throws LeaseLost.
 */
export async function chooseLines(work: ShardWork, lines: readonly ShardLine[]): Promise<ShardLine[]> {
  const keySeconds = await sharedFor(work);
  if (keySeconds === 'never') {
    await note(work, [], true);
    return [...lines];
  }
  const least = work.api.limits.linesMin ?? 0;
  const { open, spare } = await sortOut(work, lines, keySeconds, least);
  const first = new Map<string, Question>();
  for (const each of open) if (!each.isAlone && !first.has(each.question)) first.set(each.question, each);
  const others = await note(work, [...first.values()], true);
  const own = [...first.values()].filter(({ question }) => !others.has(question));
  const late = [...first.values()].filter(({ question }) => isTooLateFor(work, others.get(question)?.batchId));
  const chosen = new Set([...own, ...late]);
  const pool = [...open.filter((each) => !each.isAlone && !chosen.has(each)), ...spare];
  const filling = pool.slice(0, lacking(work, chosen.size, pool.length));
  const rest = spare.filter((each) => !filling.includes(each));
  const unserved = await giveKept(work, rest, keySeconds);
  const alone = [...open.filter(({ isAlone }) => isAlone), ...unserved, ...late, ...filling];
  await note(
    work,
    alone.map((each) => asAlone(work, each)),
    false,
  );
  const asked = [...own, ...alone].map(({ place }) => place).sort((a, b) => a.line - b.line);
  if (asked.length > 0) work.waits.delete(work.shard.id);
  else work.waits.set(work.shard.id, new Map([...others.values()].map(({ shardId, batchId }) => [shardId, batchId])));
  return asked;
}

/** Whether every line would have to wait as when it was last looked at: to look again takes a while. */
export async function stillWaits(work: ShardWork): Promise<boolean> {
  const askers = work.waits.get(work.shard.id);
  if (askers === undefined || askers.size === 0) return false;
  if ([...askers.values()].some((batchId) => isTooLateFor(work, batchId))) return false;
  return work.deps.store.shards.areAsking([...askers.keys()]);
}

/** Gives kept answers to those of `lines` that have one. */
export async function takeKept(work: ShardWork, lines: readonly ShardLine[]): Promise<void> {
  const keySeconds = await sharedFor(work);
  if (keySeconds !== 'never') await sortOut(work, lines, keySeconds, 0);
}

/** How the lines of a shard share the answers of its provider batch. */
export interface Sharing {
  /** Lines (0-based) that are in the provider batch; null: all that had no result. */
  asked: ReadonlySet<number> | null;
  /** Lines without a result by the line that asks for them, which may have its own. */
  sharers: ReadonlyMap<number, ShardLine[]>;
  /** Lines without a result that wait for another shard's. */
  waiting: ReadonlySet<number>;
}

type SharingWork = Pick<ShardWork, 'deps' | 'shard' | 'batch' | 'input' | 'candidate'>;

/** How `open`, the shard's lines without a result, share the answers of its provider batch. */
export async function sharingOf(work: SharingWork, open: readonly ShardLine[]): Promise<Sharing> {
  const rows = await work.deps.store.shards.askedLines(work.shard.id);
  if (rows.length === 0) return { asked: null, sharers: new Map(), waiting: new Set() };
  const asked = new Set(rows.map(({ line }) => line));
  const askers = new Map(rows.map(({ question, line }) => [question, line]));
  const sharers = new Map<number, ShardLine[]>();
  const waiting = new Set<number>();
  const others = open.filter(({ line }) => !asked.has(line));
  for await (const group of parsedGroups(work, others)) {
    for (const { line, request } of group) {
      const asker = askers.get(questionKey(work.batch.tenantId, request, work.candidate));
      const sharing = asker === undefined ? undefined : sharers.get(asker);
      if (sharing) sharing.push(line);
      else if (asker === undefined) waiting.add(line.line);
      else sharers.set(asker, [line]);
    }
  }
  return { asked, sharers, waiting };
}

/** For how long the key shares answers where the target does not say; never when neither does. */
async function sharedFor({ deps, batch, candidate }: ShardWork): Promise<number | null | 'never'> {
  const keySeconds = await keyCacheSeconds(deps.limiter, batch.keyId);
  return candidate.cache === undefined && keySeconds === null ? 'never' : keySeconds;
}

/**
 * Gives kept answers to those of `lines` that have one, the first `reserve` of them apart: these are answered as `spare`. The
 * rest is `open`.
 */
async function sortOut(
  work: ShardWork,
  lines: readonly ShardLine[],
  keySeconds: number | null,
  reserve: number,
): Promise<{ open: Question[]; spare: Question[] }> {
  const open: Question[] = [];
  const spare: Question[] = [];
  const taken = new Set<string>();
  for await (const group of parsedGroups(work, lines)) {
    const kept = await keptAnswers(work, group, keySeconds);
    const given: typeof kept = [];
    for (const each of kept) {
      const { line, request, question, answer, isAgain } = each;
      const asks = { place: line, line: line.line, question };
      if (answer === undefined && isAgain) open.push({ ...asks, isAlone: true });
      else if (answer === undefined) {
        // Once for lines that are alike: whether the provider takes them is told by their content.
        const isTaken = taken.has(question) || typeof nativeLine(work, line, request) === 'string';
        if (isTaken) taken.add(question);
        open.push({ ...asks, isAlone: !isTaken });
      } else if (spare.length < reserve) spare.push({ ...asks, isAlone: false });
      else given.push(each);
    }
    open.push(...(await settleKept(work, given)));
  }
  return { open, spare };
}

async function giveKept(
  work: ShardWork,
  questions: readonly Question[],
  keySeconds: number | null,
): Promise<Question[]> {
  const unserved: Question[] = [];
  const places = questions.map(({ place }) => place);
  for await (const group of parsedGroups(work, places)) {
    unserved.push(...(await settleKept(work, await keptAnswers(work, group, keySeconds))));
  }
  return unserved;
}

async function keptAnswers(work: ShardWork, group: readonly ParsedLine[], keySeconds: number | null) {
  const { deps, batch, candidate } = work;
  const unfit = await unfitAnswers(
    work,
    group.map(({ line }) => line),
  );
  // After an answer that was not taken another question is asked.
  const asks = group.map(({ line, request }) => {
    const before = unfit.get(line.line + 1) ?? [];
    return cacheAsk(batch.tenantId, request, candidate, keySeconds, { unfit: before, raisedBy: before });
  });
  const answers = await deps.answers.findAll(asks.filter((ask) => ask !== null));
  return group.map((each, index) => {
    const question = asks[index]?.key ?? '';
    return { ...each, question, answer: answers.get(question), isAgain: unfit.has(each.line.line + 1) };
  });
}

/** Makes kept answers results; answers the lines whom theirs does not serve by the rules of the target. */
async function settleKept(work: ShardWork, kept: Awaited<ReturnType<typeof keptAnswers>>): Promise<Question[]> {
  const outcomes = kept.flatMap(({ line, request, answer }) =>
    answer === undefined ? [] : [{ line, request, result: answer, failure: null, warnings: [], isShared: true }],
  );
  const settled = await settleLines(work, outcomes, { name: partName(work, 'kept'), known: new Set(), last: false });
  return kept
    .filter(({ line }) => !settled.has(line.line))
    .map(({ line, question }) => ({ place: line, line: line.line, question, isAlone: true }));
}

/** How many lines that need not be asked for are asked for all the same, as the provider's least number asks for them. */
function lacking(work: ShardWork, lines: number, more: number): number {
  const least = work.api.limits.linesMin ?? 0;
  if (lines === 0 || lines >= least || lines + more < least) return 0;
  // Single requests cost twice as much; where there are none, the lines would fail.
  const mayGoSingly = nextCandidate(work, tooFew(work, null)) !== null;
  return mayGoSingly && lines * 2 < least ? 0 : least - lines;
}

/** Whether a line asks for itself although `owner`, the batch of the shard that asks already, may bring its answer. */
function isTooLateFor({ deps, batch }: ShardWork, owner: string | undefined): boolean {
  if (owner === undefined || owner === batch.id) return false;
  return unixSeconds(deps.clock) - batch.createdAt > (batch.expiresAt - batch.createdAt) * WAIT_SHARE;
}

async function note(work: ShardWork, lines: readonly AskedLine[], fresh: boolean): Promise<Map<string, Asker>> {
  const others = new Map<string, Asker>();
  for (let at = 0; at < lines.length || (at === 0 && fresh); at += NOTED_AT_ONCE) {
    const group = lines.slice(at, at + NOTED_AT_ONCE).map(({ line, question }) => ({ line, question }));
    const held = await work.deps.store.shards.ask(work.shard, group, fresh && at === 0);
    if (held === null) throw new LeaseLost();
    for (const [question, asker] of held) others.set(question, asker);
  }
  return others;
}

/** A question that no other line asks. */
function asAlone({ shard }: ShardWork, { line, question }: AskedLine): AskedLine {
  return { line, question: `${question} ${shard.id} ${line}` };
}

async function* parsedGroups(
  work: Pick<ShardWork, 'deps' | 'input'>,
  lines: readonly ShardLine[],
): AsyncGenerator<ParsedLine[]> {
  const reader = new ForwardReader(work.deps.files, work.input.contentKey);
  let group: ParsedLine[] = [];
  let bytes = 0;
  for (const line of lines) {
    group.push({ line, request: parseRequestLine(await reader.read(line)) });
    bytes += line.length;
    if (group.length < LINES_AT_ONCE && bytes < BYTES_AT_ONCE) continue;
    yield group;
    group = [];
    bytes = 0;
  }
  if (group.length > 0) yield group;
}

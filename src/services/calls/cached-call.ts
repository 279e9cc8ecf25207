import type { Provider, Result, Success } from '../../../providers/contract.ts';
import { refusal } from '../../core/failure.ts';
import { unfitAt } from '../../core/heal-line.ts';
import type { Verdict } from '../../core/healing.ts';
import type { Candidate } from '../../core/lane.ts';
import type { CacheAsk } from '../../ports/answer-cache.ts';
import type { Deps } from '../../ports/deps.ts';
import { cacheAsk } from '../cache/cache-key.ts';
import { type CallAnswer, targetHeaders } from './answer.ts';
import type { CallInHand } from './attempts.ts';
import { finishedEvents } from './finished-events.ts';
import { judgeCall, unfitAnswer } from './heal.ts';

/** Takes an answer that may be given again: whole, by this candidate, and to what the call asks now: after answers that did not serve, another question. */
export type Keep = (candidate: Candidate, answer: Success) => void;

type CacheDeps = Pick<Deps, 'answers' | 'providers' | 'gates'>;

/**
 * Answers a call from the cache where that may be, else by `send`. Calls that ask the same of the same target side by side
 * are sent once; so are those that stream, among themselves (`ask`: share-stream.ts).
 */
export async function throughCache(
  deps: CacheDeps,
  hand: CallInHand,
  send: (keep: Keep, ask: CacheAsk | null) => Promise<CallAnswer>,
): Promise<CallAnswer> {
  const keep: Keep = (candidate, answer) => {
    const [ask] = asksOf(hand, [candidate]);
    if (ask !== undefined) void deps.answers.keep(ask, answer);
  };
  const [ask] = asksOf(hand, hand.candidates.slice(0, 1));
  if (hand.call.cache !== 'use') return send(keep, null);
  const known = await findKept(deps, hand);
  if (known !== null) return known;
  if (ask === undefined || hand.call.stream !== null) return send(keep, ask ?? null);
  return sendOnce(deps, hand, { ask, keep, send: (kept) => send(kept, null) });
}

/** Whether an answer of the candidate is one to what is asked. */
export function isAnswerTo(hand: CallInHand, ask: CacheAsk | null, candidate: Candidate): boolean {
  return ask !== null && asksOf(hand, [candidate])[0]?.key === ask.key;
}

async function sendOnce(
  deps: CacheDeps,
  hand: CallInHand,
  { ask, keep, send }: { ask: CacheAsk; keep: Keep; send: (keep: Keep) => Promise<CallAnswer> },
): Promise<CallAnswer> {
  const own: { answer?: Promise<CallAnswer>; shared?: Success } = {};
  const { result } = await deps.answers.through(ask, async () => {
    own.answer = send((candidate, answer) => {
      if (isAnswerTo(hand, ask, candidate)) own.shared = answer;
      else keep(candidate, answer);
    });
    // Its own client is told below what went wrong; the others try for themselves.
    await own.answer.catch(() => null);
    return own.shared ?? NOT_SHARED;
  });
  if (own.answer !== undefined) return own.answer;
  const [first] = hand.candidates;
  const again = result.ok && first ? await findKept(deps, hand, judged(deps, hand, first, result)) : null;
  return again ?? send(keep);
}

const NOT_SHARED: Result = {
  ok: false,
  failure: refusal('interrupted', 'not_shared', 'This answer is for its own client alone.'),
  requestId: null,
  body: null,
  usage: null,
  rawUsage: null,
};

/** An answer to an earlier call. */
interface Kept {
  candidate: Candidate;
  provider: Provider;
  result: Success;
  verdict: Verdict;
}

/**
 * A kept answer of one of the call's targets, after those that did not serve, as they were bought, all entered at no cost; null
 * when there is none that does. `known`: the first of them, where it is at hand.
 */
async function findKept(deps: CacheDeps, hand: CallInHand, known?: Kept | null): Promise<CallAnswer | null> {
  const passed: Kept[] = [];
  const again: CallInHand = { ...hand, unfit: [...hand.unfit] };
  let at: readonly Candidate[] = hand.candidates;
  for (;;) {
    const kept = passed.length === 0 && known !== undefined ? known : await findOne(deps, again, at);
    if (kept === null || kept.verdict.do === 'fail') return null;
    passed.push(kept);
    if (kept.verdict.do === 'take') break;
    again.unfit.push(unfitAnswer(kept.candidate, kept.verdict.code));
    at = hand.candidates.slice(kept.verdict.candidate, kept.verdict.candidate + 1);
  }
  await Promise.all(passed.map(({ verdict, ...answered }) => hand.account.enterCached(answered, verdict)));
  return giveAgain(hand, passed);
}

async function findOne(deps: CacheDeps, hand: CallInHand, at: readonly Candidate[]): Promise<Kept | null> {
  const asks = asksOf(hand, at);
  const found = asks.length === 0 ? null : await deps.answers.find(asks);
  const candidate = found && at.find((each) => asksOf(hand, [each])[0]?.key === found.key);
  return found && candidate ? judged(deps, hand, candidate, found.answer) : null;
}

function judged(deps: CacheDeps, hand: CallInHand, candidate: Candidate, result: Success): Kept | null {
  const provider = deps.providers.get(candidate.provider);
  if (provider === undefined) return null;
  return { candidate, provider, result, verdict: judgeCall(deps, hand, hand.candidates.indexOf(candidate), result) };
}

/** The last of kept answers, for the one who asks now. */
function giveAgain({ call }: CallInHand, kept: readonly Kept[]): CallAnswer | null {
  const last = kept.at(-1);
  if (last === undefined) return null;
  const { candidate, result: answer } = last;
  const notes = kept.flatMap(({ verdict }) => (verdict.do === 'fail' ? [] : (verdict.warning ?? [])));
  const headers = hitHeaders(candidate, notes);
  if (call.stream !== null) return { status: 200, headers, events: finishedEvents(call, answer.body) };
  const { status, body } = answer;
  return { status, headers: { 'content-type': 'application/json', ...headers }, body };
}

/** The headers of an answer that another call has bought. */
export function hitHeaders(candidate: Candidate, notes: readonly string[] = []): Record<string, string> {
  return { ...targetHeaders(candidate, 0, notes), 'x-weir-cost-nano-usd': '0', 'x-weir-cache': 'hit' };
}

/** Whether an answer of this candidate may be given again. */
export function mayBeKept({ call, keyCacheSeconds }: CallInHand, { cache }: Candidate): boolean {
  return call.cache !== 'off' && (cache !== undefined || keyCacheSeconds !== null);
}

/** What the call asks of the cache now, for each of these targets whose answers may be given again. */
function asksOf(hand: CallInHand, candidates: readonly Candidate[]): CacheAsk[] {
  const { tenantId, call, keyCacheSeconds, unfit } = hand;
  return candidates
    .filter((candidate) => mayBeKept(hand, candidate))
    .flatMap((candidate) => {
      const after = { unfit, raisedBy: unfitAt(hand, hand.candidates.indexOf(candidate)) };
      return cacheAsk(tenantId, call.request, candidate, keyCacheSeconds, after) ?? [];
    });
}

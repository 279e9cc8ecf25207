import type { Result, Success } from '../../../providers/contract.ts';
import { refusal } from '../../core/failure.ts';
import type { Candidate } from '../../core/lane.ts';
import type { CacheAsk } from '../../ports/answer-cache.ts';
import type { Deps } from '../../ports/deps.ts';
import { cacheAsk } from '../cache/cache-key.ts';
import { type CallAnswer, targetHeaders } from './answer.ts';
import type { CallInHand } from './attempts.ts';
import { finishedEvents } from './finished-events.ts';
import { judgeCall } from './heal.ts';

/** Takes an answer that may be given again: whole, fit, and by this candidate. */
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
  const again = result.ok ? await giveAgain(deps, hand, hand.candidates[0], result) : null;
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

/** A kept answer of one of the call's targets; null when there is none, or none may be given. */
async function findKept(deps: CacheDeps, hand: CallInHand): Promise<CallAnswer | null> {
  const asks = asksOf(hand, hand.candidates);
  if (asks.length === 0) return null;
  const found = await deps.answers.find(asks);
  const candidate = found && hand.candidates.find((each) => asksOf(hand, [each])[0]?.key === found.key);
  return found && candidate ? giveAgain(deps, hand, candidate, found.answer) : null;
}

/** An answer of `candidate` to an earlier call, entered at no cost; null when it is not fit for this one. */
async function giveAgain(
  deps: CacheDeps,
  hand: CallInHand,
  candidate: Candidate | undefined,
  answer: Success,
): Promise<CallAnswer | null> {
  const { call, account } = hand;
  const provider = candidate && deps.providers.get(candidate.provider);
  if (candidate === undefined || provider === undefined) return null;
  if (judgeCall(deps, hand, hand.candidates.indexOf(candidate), answer).do !== 'take') return null;
  await account.enterCached(candidate, provider, answer);
  const headers = hitHeaders(candidate);
  if (call.stream !== null) return { status: 200, headers, events: finishedEvents(call, answer.body) };
  const { status, body } = answer;
  return { status, headers: { 'content-type': 'application/json', ...headers }, body };
}

/** The headers of an answer that another call has bought. */
export function hitHeaders(candidate: Candidate): Record<string, string> {
  return { ...targetHeaders(candidate, 0, []), 'x-weir-cost-nano-usd': '0', 'x-weir-cache': 'hit' };
}

/** Whether an answer of this candidate may be given again. */
export function mayBeKept({ call, keyCacheSeconds }: CallInHand, { cache }: Candidate): boolean {
  return call.cache !== 'off' && (cache !== undefined || keyCacheSeconds !== null);
}

/** What the call asks of the cache, for each of these targets whose answers may be given again. */
function asksOf(hand: CallInHand, candidates: readonly Candidate[]): CacheAsk[] {
  const { tenantId, call, keyCacheSeconds } = hand;
  return candidates
    .filter((candidate) => mayBeKept(hand, candidate))
    .flatMap((candidate) => cacheAsk(tenantId, call.request, candidate, keyCacheSeconds) ?? []);
}

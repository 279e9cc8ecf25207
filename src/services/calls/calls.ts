/**
 * Synchronous calls: one request, one answer, over the same routes, gates and ledger as batches.
 *
 *   read ─▶ plan (candidates in order) ─▶ attempts, each through its provider's gate ─▶ entry durable ─▶ answer
 */
import type { NativeRequest, Provider, Call as ProviderCall, Result, Success } from '../../../providers/contract.ts';
import { routeNameOf } from '../../core/budget-scope.ts';
import type { Settled } from '../../core/heal-line.ts';
import type { Candidate, RunLane } from '../../core/lane.ts';
import type { LineProgress } from '../../core/retry.ts';
import { type Soon, whenThere } from '../../core/soon.ts';
import { estimateLineTokens } from '../../core/tokens.ts';
import { steadyMs } from '../../ports/clock.ts';
import type { Actor, Deps } from '../../ports/deps.ts';
import type { KeyPermit } from '../../ports/key-limiter.ts';
import type { Endpoint } from '../../protocol/endpoint.ts';
import { CallBudgets, type CallToHold } from '../budgets/call-budgets.ts';
import { keyCacheSeconds } from '../cache/cache-key.ts';
import { clientGone } from '../gates/refusals.ts';
import { CallAccount } from './account.ts';
import { type CallAnswer, failureAnswer, PassedAnswer, targetHeaders, type WholeAnswer } from './answer.ts';
import { AnsweredBefore, type Begun, CallFailed, type CallHold, type CallInHand, tryCandidates } from './attempts.ts';
import { isAnswerTo, type Keep, mayBeKept, throughCache } from './cached-call.ts';
import { EntryWriter } from './entry-writer.ts';
import { affordRetry, isCovered, judgeCall, unfitAnswer, unfitCall } from './heal.ts';
import { CallPlanner } from './planner.ts';
import { type Call, type CallHeaders, readCall } from './read-call.ts';
import { type LiveAnswers, shareStream } from './share-stream.ts';

export interface CallRequest {
  actor: Actor;
  endpoint: Endpoint;
  /** The body as it came. */
  raw: Uint8Array;
  headers: CallHeaders;
  requestId: string;
  /** Aborts when the client leaves. */
  signal: AbortSignal;
  /** The client comes back for an answer that it did not get, as it has an Idempotency-Key: the answer is made to its end. */
  comesBack?: boolean;
}

/** A call that may be sent; or what it is answered with at once. */
type Admitted =
  | { ok: true; lane: RunLane; permit: KeyPermit; hold: CallHold | null; route: string | null }
  | { ok: false; answer: WholeAnswer };

const keepNothing: Keep = () => undefined;

/** How long a stopping process waits for its database. */
const CLOSE_MS = 5_000;

export class Calls {
  private readonly deps: Deps;
  private readonly planner: CallPlanner;
  private readonly writer: EntryWriter;
  private readonly budgets: CallBudgets;
  private readonly live: LiveAnswers = new Map();
  /** Of the calls that go on without their client. */
  private readonly cut = new AbortController();
  private open = 0;

  constructor(deps: Deps) {
    this.deps = deps;
    this.planner = new CallPlanner(deps);
    this.writer = new EntryWriter(deps);
    this.budgets = new CallBudgets(deps);
  }

  /** Answers a call; resolves also for calls that fail at their providers. Throws ApiError for what the client can mend. */
  answer(request: CallRequest): Promise<CallAnswer> {
    return this.send(request, readCall(request.endpoint, request.raw, request.headers, request.requestId));
  }

  /** Answers a call that was read before. */
  async send(request: Pick<CallRequest, 'actor' | 'signal' | 'comesBack'>, call: Call): Promise<CallAnswer> {
    const { actor } = request;
    const soon = this.admit(actor, call);
    const admitted = soon instanceof Promise ? await soon : soon;
    if (!admitted.ok) return admitted.answer;
    const { lane, permit, hold, route } = admitted;
    const account = new CallAccount(this.deps, { actor, call, route }, this.writer);
    const close = this.opened(permit, account, hold);
    const hand: CallInHand = {
      tenantId: actor.tenantId,
      call,
      request: call.request,
      candidates: this.inOrder(lane),
      account,
      // A stream is not remembered: nobody comes back for it.
      signal: request.comesBack === true && call.stream === null ? AbortSignal.any([this.cut.signal]) : request.signal,
      keyCacheSeconds: null,
      hold,
      unfit: [],
      spare: null,
      atMaximum: [],
      notes: [],
    };
    // A stream is open until it was delivered.
    const delivery = { streams: false };
    let answer: CallAnswer;
    try {
      const keySeconds = keyCacheSeconds(this.deps.limiter, actor.keyId);
      hand.keyCacheSeconds = keySeconds instanceof Promise ? await keySeconds : keySeconds;
      const mayKeep = hand.candidates.some((candidate) => mayBeKept(hand, candidate));
      answer =
        !mayKeep && call.stream === null
          ? await this.execute(hand, keepNothing)
          : await this.attempt(hand, delivery, close);
    } catch (error) {
      if (!(error instanceof CallFailed)) throw error;
      const headers = targetHeaders(error.candidate, account.attempts, hand.notes);
      answer = failureAnswer(error.failure, error.body, { ...headers, ...error.headers });
    } finally {
      if (!delivery.streams) close();
    }
    Object.assign(answer.headers, permit.headers);
    return answer;
  }

  /** Where the call goes, once its key's limits and its budgets have room for it. */
  private admit(actor: Actor, call: Call): Soon<Admitted> {
    return whenThere(this.planner.plan(actor, call, 'send'), (lane) => {
      if (lane.kind === 'refuse') return { ok: false, answer: failureAnswer(lane.failure, null, {}) };
      const admission = this.deps.limiter.admit(actor.keyId, estimateLineTokens(call.request, call.bytes));
      return whenThere(admission, (permit) => {
        const spending = toHold(actor, call, lane);
        const held = this.budgets.hold(spending);
        const sure = held instanceof Promise ? held.catch(givenBack(permit)) : held;
        const [route = null] = spending.spender.routes;
        return whenThere(sure, (id) => {
          const hold = id === null ? null : { id, spending };
          return { ok: true, lane, permit, hold, route };
        });
      });
    });
  }

  /**
   * The answer to a call that no target could take; null when it may be sent. Throws ApiError for an unknown route, and for
   * a budget without room for it.
   */
  async refuse(actor: Actor, call: Call): Promise<WholeAnswer | null> {
    const lane = await this.planner.plan(actor, call, 'check');
    if (lane.kind === 'refuse') return failureAnswer(lane.failure, null, {});
    await this.budgets.check(toHold(actor, call, lane));
    return null;
  }

  /** Budgets have changed. */
  forgetBudgets(): void {
    this.budgets.forget();
  }

  /** A tenant's routes have changed. */
  forgetRoutes(tenantId: string): void {
    this.planner.forget(tenantId);
  }

  /** Waits for the calls in flight, at most `ms`. */
  async stop(ms: number): Promise<void> {
    const { clock } = this.deps;
    const deadline = steadyMs(clock) + ms;
    while (this.open > 0 && steadyMs(clock) < deadline) await clock.sleep(10);
    this.cut.abort();
  }

  /** Resolves when every entry so far is in the database. */
  flush(): Promise<void> {
    return this.writer.flush();
  }

  /** Brings everything into the database, as far as that can be done, and ends. */
  close(): Promise<void> {
    return this.writer.close(CLOSE_MS);
  }

  /** Counts a call as open until the function it answers is called, which may happen more than once. */
  private opened(permit: KeyPermit, account: CallAccount, hold: CallHold | null): () => void {
    try {
      this.writer.begin();
    } catch (error) {
      if (hold !== null) this.writer.release(hold.id);
      return givenBack(permit)(error);
    }
    this.open += 1;
    let over = false;
    return () => {
      if (over) return;
      over = true;
      this.open -= 1;
      this.writer.end();
      if (hold !== null) this.writer.release(hold.id);
      permit.settle(account.usedTokens);
    };
  }

  /** Answers a call from the cache, as a stream, or so that others share its answer. */
  private attempt(hand: CallInHand, delivery: { streams: boolean }, close: () => void): Promise<CallAnswer> {
    const { call, account } = hand;
    return throughCache(this.deps, hand, async (keep, ask) => {
      if (call.stream === null) return this.execute(hand, keep);
      const answers = (candidate: Candidate): boolean => isAnswerTo(hand, ask, candidate);
      const sent = { hand, account, ask, answers, keep, closed: close };
      const answer = await shareStream(this.deps, this.live, sent);
      delivery.streams = true;
      return answer;
    });
  }

  /** Members of a group that shares by capacity: the one with the most room for its weight goes first. */
  private inOrder({ candidates, shared }: RunLane): readonly Candidate[] {
    if (shared < 2) return candidates;
    const load = ({ provider, weight }: Candidate): number => {
      const gate = this.deps.gates.get(provider);
      return gate === undefined ? Number.POSITIVE_INFINITY : (gate.inFlight + gate.callsWaiting + 1) / weight;
    };
    const sharing = candidates.slice(0, shared).sort((left, right) => load(left) - load(right));
    return [...sharing, ...candidates.slice(shared)];
  }

  private async execute(hand: CallInHand, keep: Keep): Promise<WholeAnswer> {
    const { account, notes } = hand;
    let from: LineProgress | undefined;
    let entered: Promise<void> | undefined;
    for (;;) {
      let begun: Begun<Success>;
      try {
        begun = await tryCandidates(this.deps, hand, sendWhole, from);
      } catch (error) {
        if (!(error instanceof AnsweredBefore)) throw error;
        await entered;
        return this.deliver(hand, error.settled, [error.settled.warning], keepNothing);
      }
      const { answer, candidate, provider, trip, warnings, progress } = begun;
      const { latencyMs, gpuMicroseconds } = trip.end(null, answer.usage);
      const judged = judgeCall(this.deps, hand, progress.candidate, answer);
      const ended = { candidate, provider, result: answer, latencyMs, gpuMicroseconds, final: true };
      const retry = judged.do === 'retry' && isCovered(hand) && !hand.signal.aborted;
      const { verdict, hold } = retry
        ? await affordRetry(this.budgets, hand, { from: progress.candidate, result: answer }, judged)
        : { verdict: judged, hold: null };
      entered = account.enter(ended, verdict);
      if (hold !== null) this.holdAnew(hand, hold);
      if (verdict.do === 'retry' && !hand.signal.aborted) {
        keep(candidate, answer);
        hand.unfit.push(unfitAnswer(candidate, verdict.code));
        hand.spare = { from: progress.candidate, result: answer };
        notes.push(verdict.warning);
        from = { ...progress, candidate: verdict.candidate, tries: 0 };
        continue;
      }
      await entered;
      if (verdict.do === 'retry') throw new CallFailed(clientGone(), null, candidate);
      return this.deliver(hand, { from: progress.candidate, result: answer, verdict }, warnings, keep);
    }
  }

  /** What was held for an answer that is entered by now is held no more, but what its retry may come to. */
  private holdAnew({ hold }: CallInHand, id: string): void {
    if (hold === null) return;
    this.writer.release(hold.id);
    hold.id = id;
  }

  private deliver(hand: CallInHand, settled: Settled<Success>, warnings: readonly string[], keep: Keep): WholeAnswer {
    const { account, candidates, notes } = hand;
    const { from, result: answer, verdict } = settled;
    const candidate = candidates[from];
    if (candidate === undefined) throw new Error('a call was answered by no candidate');
    if (verdict.do === 'fail') throw unfitCall(verdict.failure, answer, candidate);
    if (verdict.warning !== null) notes.push(verdict.warning);
    if (verdict.warning === null) keep(candidate, answer);
    const headers = targetHeaders(candidate, account.attempts, [...notes, ...warnings, ...answer.warnings]);
    headers['content-type'] = 'application/json';
    if (account.costNano !== null) headers['x-weir-cost-nano-usd'] = String(account.costNano);
    return new PassedAnswer(answer, headers);
  }
}

/** Settles the permit of a call that did not begin, and throws why. */
function givenBack(permit: KeyPermit): (error: unknown) => never {
  return (error) => {
    permit.settle(0);
    throw error;
  };
}

/** The call as budgets see it. */
function toHold(actor: Actor, { request, bytes, metadata, config }: Call, lane: RunLane): CallToHold {
  const given = typeof config === 'string' && !config.trimStart().startsWith('{') ? config : null;
  const route = config !== null && given === null ? null : routeNameOf(given, lane);
  const spender = {
    tenantId: actor.tenantId,
    keyId: actor.keyId,
    tags: metadata,
    routes: route === null ? [] : [route],
  };
  return { spender, request, bytes, candidates: lane.candidates };
}

function sendWhole(provider: Provider, request: NativeRequest, call: ProviderCall): Promise<Result> {
  if (provider.immediate === undefined) throw new Error('a gate without an immediate API');
  return provider.immediate.execute(request, call);
}

import type { Failed, NativeRequest, Provider, Call as ProviderCall, Success } from '../../../providers/contract.ts';
import { LAST_WAIT_MS, nextCallStep, ROOM_WAIT_MS } from '../../core/call-retry.ts';
import { type Failure, refusal } from '../../core/failure.ts';
import { type HealedRequest, type Recourse, recourseOf, unfitAt } from '../../core/heal-line.ts';
import type { JudgedLine, Unfit } from '../../core/healing.ts';
import { type Candidate, targetName } from '../../core/lane.ts';
import { isPaidByTime } from '../../core/own-price.ts';
import { promptStart } from '../../core/prefix-map.ts';
import { requestFor } from '../../core/request-for.ts';
import { faultOf, type LineProgress } from '../../core/retry.ts';
import type { Soon } from '../../core/soon.ts';
import { estimateLineTokens } from '../../core/tokens.ts';
import { emptyUsage, totalInput, totalOutput, type Usage } from '../../core/usage.ts';
import type { Deps } from '../../ports/deps.ts';
import type { Ask, Gate, Permit, TargetGate } from '../../ports/gates.ts';
import type { CallToHold } from '../budgets/call-budgets.ts';
import { avoidedAfter } from '../gates/avoided.ts';
import { rateReached } from '../gates/refusals.ts';
import type { CallAccount } from './account.ts';
import type { Call } from './read-call.ts';

type Booking = ReturnType<TargetGate['spend']>;

/** A call on its way through its candidates. */
export interface CallInHand extends HealedRequest<Success> {
  tenantId: string;
  call: Call;
  /** The call's. */
  request: Call['request'];
  candidates: readonly Candidate[];
  account: CallAccount;
  signal: AbortSignal;
  /** See keyCacheSeconds. */
  keyCacheSeconds: number | null;
  /** What its budgets hold for it; null where none covers it. */
  hold: CallHold | null;
  /** Its answers that were not taken, and what is to be said of them. */
  unfit: Unfit[];
  notes: string[];
}

/** What is held for a call until its entries are written. */
export interface CallHold {
  id: string;
  readonly spending: CallToHold;
}

/** A call that a provider has begun to answer. The permit is still held. */
export interface Begun<Answer> {
  answer: Answer;
  candidate: Candidate;
  provider: Provider;
  trip: Trip;
  progress: LineProgress;
  warnings: readonly string[];
}

/** No candidate answered. */
export class CallFailed extends Error {
  override readonly name = 'CallFailed';
  readonly failure: Failure;
  /** The last provider's own error in OpenAI's envelope. */
  readonly body: string | null;
  readonly candidate: Candidate;
  /** For the client, beside those that say who answered. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(failure: Failure, body: string | null, candidate: Candidate, headers: Record<string, string> = {}) {
    super(failure.message);
    this.headers = headers;
    this.failure = failure;
    this.body = body;
    this.candidate = candidate;
  }
}

/** No candidate answered again; an answer that came before is what there is. */
export class AnsweredBefore extends Error {
  override readonly name = 'AnsweredBefore';
  readonly settled: Extract<Recourse<Success>, { do: 'settle' }>;

  constructor(settled: AnsweredBefore['settled']) {
    super(settled.warning);
    this.settled = settled;
  }
}

/** Where a call can be tried again. */
export function canGo({ gates }: Pick<Deps, 'gates'>, { candidates }: CallInHand): JudgedLine['canGo'] {
  return (index) => candidates[index] !== undefined && gates.has(candidates[index].provider);
}

export type Send<Answer> = (provider: Provider, request: NativeRequest, call: ProviderCall) => Promise<Answer | Failed>;

/** One call's time at a provider, from its admission to its end. */
export class Trip {
  private readonly deps: Pick<Deps, 'clock'>;
  private readonly gate: Gate;
  private readonly permit: Permit;
  private readonly booking: Booking | undefined;
  private readonly gpu: ReturnType<Gate['gpu']['start']> | null;
  private readonly startedAt: number;
  private readonly model: string;

  /** `model`: the name the provider knows it by. */
  constructor(
    deps: Pick<Deps, 'clock' | 'ownPrices'>,
    gate: Gate,
    { permit, booking }: { permit: Permit; booking?: Booking },
    model: string,
  ) {
    this.deps = deps;
    this.gate = gate;
    this.permit = permit;
    this.booking = booking;
    this.startedAt = deps.clock.micros();
    this.model = model;
    const pricedByTime = isPaidByTime(deps.ownPrices.get(gate.provider.name), model);
    this.gpu = pricedByTime ? gate.gpu.start(Math.round(this.startedAt)) : null;
  }

  /** Gives the permit back. `usage`: null when it is not known what the call used. */
  end(failure: Failure | null, usage: Usage | null): { latencyMs: number; gpuMicroseconds: number | null } {
    const now = this.deps.clock.micros();
    const gpuMicroseconds = this.gpu === null ? null : this.gate.gpu.end(this.gpu, Math.round(now));
    const output = usage === null ? 0 : totalOutput(usage);
    const used = usage === null ? null : totalInput(usage) + output;
    if (failure === null || faultOf(failure) === 'own') this.gate.holds.answered(this.model, this.startedAt / 1000);
    this.permit.settle(failure, { model: this.model, usedTokens: used, outputTokens: output });
    if (used !== null) this.booking?.correct(used);
    return { latencyMs: (now - this.startedAt) / 1000, gpuMicroseconds };
  }
}

/**
 * Tries the candidates, each with its retries, until one begins to answer. `from`: where a call goes on whose last answer
 * was not taken. Throws CallFailed when none answers, or AnsweredBefore.
 */
export async function tryCandidates<Answer extends { ok: true }>(
  deps: Deps,
  hand: CallInHand,
  send: Send<Answer>,
  from: LineProgress = { candidate: 0, tries: 0, pressure: 0 },
): Promise<Begun<Answer>> {
  let progress = from;
  let waitedMs = 0;
  for (;;) {
    const candidate = hand.candidates[progress.candidate];
    if (candidate === undefined) throw new Error('a call has no candidate');
    const ready = prepare(deps, hand, candidate, progress);
    let attempt: FailedAttempt;
    if ('failure' in ready) attempt = refused(ready.failure);
    else {
      const { gate, request, warnings, timeoutMs } = ready;
      const { provider } = gate;
      const admission = ready.admitted instanceof Promise ? await ready.admitted : ready.admitted;
      if (admission.ok) {
        const trip = new Trip(deps, gate, admission, candidate.model);
        const { member } = admission.permit;
        const answer = await send(provider, request, providerCall(deps, { member, timeoutMs, signal: hand.signal }));
        if (answer.ok) return { answer, candidate, provider, trip, progress, warnings };
        const { failure } = answer;
        const ended = { candidate, provider, ...trip.end(failure, emptyUsage) };
        const avoided = avoidedAfter(gate, progress, member);
        attempt = { failure, failed: answer, ended: failure.reachedProvider ? ended : null, avoided };
      } else attempt = refused(admission.failure);
    }
    const next = await goOn(deps, hand, { candidate, progress, waitedMs }, attempt);
    progress = next.progress;
    waitedMs = next.waitedMs;
  }
}

interface FailedAttempt {
  failure: Failure;
  /** null when nothing was sent. */
  failed: Failed | null;
  /** Set when the request may have reached the provider: then it has an entry in the ledger. */
  ended: { candidate: Candidate; provider: Provider; latencyMs: number; gpuMicroseconds: number | null } | null;
  /** For nextCallStep. */
  avoided: readonly string[] | null;
}

function refused(failure: Failure): FailedAttempt {
  return { failure, failed: null, ended: null, avoided: null };
}

/** Enters a failed attempt, and waits until the next one may begin. Throws where there is none. */
async function goOn(
  deps: Deps,
  hand: CallInHand,
  at: { candidate: Candidate; progress: LineProgress; waitedMs: number },
  { failure, failed, ended, avoided }: FailedAttempt,
): Promise<{ progress: LineProgress; waitedMs: number }> {
  const { candidate, progress, waitedMs } = at;
  const step = nextCallStep(hand.candidates, progress, failure, deps.random.unit(), waitedMs, avoided);
  const over = step.do === 'fail' || hand.signal.aborted;
  const recourse =
    over && !hand.signal.aborted ? recourseOf(hand, progress.candidate, failure, canGo(deps, hand)) : null;
  const final = over && recourse?.do !== 'go';
  if (ended !== null) {
    const written = hand.account.enter({ ...ended, result: failed, final });
    if (final) await written;
  }
  if (recourse?.do === 'settle') throw new AnsweredBefore(recourse);
  if (recourse) return { progress: { ...progress, candidate: recourse.candidate, tries: 0 }, waitedMs };
  if (step.do === 'fail' || final) throw new CallFailed(failure, failed?.body ?? null, candidate);
  if (step.delayMs > 0) await deps.clock.sleep(step.delayMs, hand.signal);
  return { progress: step.progress, waitedMs: waitedMs + step.delayMs };
}

interface Ready {
  gate: Gate;
  request: NativeRequest;
  warnings: readonly string[];
  timeoutMs: number;
  admitted: Soon<Admitted>;
}

/** What the candidate is to be sent, asked for at its gate; or why it cannot be. */
function prepare(
  deps: Deps,
  hand: CallInHand,
  candidate: Candidate,
  { candidate: index, avoided }: LineProgress,
): Ready | { failure: Failure } {
  const { tenantId, call, candidates, signal } = hand;
  const gate = deps.gates.get(candidate.provider);
  if (gate === undefined) return { failure: noSingleRequests(candidate) };
  const converted = gate.provider.convert(requestFor(call.request, candidate, unfitAt(hand, index)), candidate.model);
  if (!converted.ok) return { failure: converted.failure };
  const { request, warnings } = converted;
  const timeoutMs = candidate.requestTimeoutMs ?? deps.settings.requestTimeoutMs;
  const last = index === candidates.length - 1;
  const maxWaitMs = Math.min(timeoutMs, last ? LAST_WAIT_MS : ROOM_WAIT_MS);
  const tokens = estimateLineTokens(call.request, call.bytes);
  const prompt = (): string => promptStart(call.request.body);
  const admitted = admit(deps, gate, { tenantId, candidate, tokens, signal, maxWaitMs, avoided, prompt });
  return { gate, request, warnings, timeoutMs, admitted };
}

function providerCall(
  deps: Deps,
  { member, timeoutMs, signal }: { member: string; timeoutMs: number; signal: AbortSignal },
): ProviderCall {
  const { maxResponseBytes } = deps.settings;
  return { http: deps.http, member, timeoutMs, maxResponseBytes, nowMs: deps.clock.now(), signal };
}

type Admitted = { ok: true; permit: Permit; booking?: Booking } | { ok: false; failure: Failure };
type AdmissionAsk = Ask & { tenantId: string; candidate: Candidate; signal: AbortSignal };

/** Admits a call by the rates of its target, if it has any of its own, and then by its provider's gate. */
function admit({ clock }: Pick<Deps, 'clock'>, gate: Gate, ask: AdmissionAsk): Soon<Admitted> {
  const target = gate.target(ask.tenantId, ask.candidate);
  return target === null ? gate.acquire(ask) : admitAtTarget(clock, gate, target, ask);
}

async function admitAtTarget(
  clock: Deps['clock'],
  gate: Gate,
  target: TargetGate,
  { candidate, tokens, signal, maxWaitMs, avoided, prompt }: AdmissionAsk,
): Promise<Admitted> {
  const { waitMs } = target;
  if (waitMs > maxWaitMs) return { ok: false, failure: rateReached(targetName(candidate), waitMs) };
  // Booked before it waits: the next call waits behind it, and so do batch lines.
  const booking = target.spend(tokens);
  if (waitMs > 0) await clock.sleep(waitMs, signal);
  const admission = await gate.acquire({ tokens, signal, maxWaitMs: maxWaitMs - waitMs, avoided, prompt });
  if (admission.ok) return { ...admission, booking };
  booking.refund();
  return admission;
}

function noSingleRequests({ provider }: Candidate): Failure {
  const message = `Provider '${provider}' is not configured here any more, or takes no single requests.`;
  return refusal('unsupported', 'provider_unavailable', message, 'model');
}

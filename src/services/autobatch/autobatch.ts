/**
 * Synchronous calls answered from batches. Every call is a row before its client waits for it:
 *
 *   parked ──(size, bytes, time, shutdown)──▶ grouped ──▶ batch ──▶ answered ──▶ delivered
 *
 * A client that gives up and asks again is given the same row. Rows are the truth: after a restart groups go on where
 * they were, and clients find their calls again.
 */
import { ApiError, notFound } from '../../core/api-error.ts';
import { formatId, ID_BYTES } from '../../core/ids.ts';
import { steadyMs, unixSeconds } from '../../ports/clock.ts';
import { type Actor, type Deps, scopeOf } from '../../ports/deps.ts';
import type { OpenGroup, ParkedCallRow } from '../../ports/store-parked-calls.ts';
import type { CallAnswer, WholeAnswer } from '../calls/answer.ts';
import type { CallRequest, Calls } from '../calls/calls.ts';
import { finishedEvents } from '../calls/finished-events.ts';
import { type Call, readCall } from '../calls/read-call.ts';
import { collectAnswers } from './collect.ts';
import { groupDue, startGroup } from './group.ts';
import { type ParkHeaders, type ParkWish, parkedRow, readWish } from './park-request.ts';
import { pendingAnswer, presentCall } from './pending.ts';
import { type Place, Waiters } from './waiters.ts';

/** How long after its delivery an answer is given again to a client that says it asks again. */
const REDELIVER_SECONDS = 600;
/** Rounds while there is something to do, and while there is not: then only another process could have left something. */
const ROUND_MS = 100;
const IDLE_ROUND_MS = 10_000;
/** A group is looked at again after this share of its age. */
const LOOK_SHARE = 0.02;
const LOOK_MAX_MS = 10_000;
/** Answers that another server has brought are looked for so often while clients wait here. */
const LOOK_FOR_MS = 1_000;
/** After trouble. */
const RETRY_MS = 5_000;
/** Where answers are brought elsewhere, they are looked for after this, and then after a share of the time since. */
const ELSEWHERE_MS = 250;
const ELSEWHERE_SHARE = 0.1;
const ELSEWHERE_MAX_MS = 5_000;

/**
 * Who makes batches of what is parked: `here`, once started; or `elsewhere`, where an instance lives as long as one request
 * and turns are taken by the background work. Nobody can then tell which requests still wait: those that are alike share one call.
 */
export type AutobatchWork = 'here' | 'elsewhere';

/** What is known here of a group whose batch runs. */
interface Watched {
  after: string | null;
  since: number;
  lookAt: number;
}

export interface ParkRequest extends CallRequest {
  wishes: ParkHeaders;
}

export class Autobatch {
  private readonly deps: Deps;
  private readonly calls: Calls;
  private readonly work: AutobatchWork;
  private readonly waiters: Waiters;
  private readonly watched = new Map<string, Watched>();
  private lookedForAt = 0;
  private readonly stopping = new AbortController();
  private news = new AbortController();
  private running: Promise<void> | null = null;

  constructor(deps: Deps, calls: Calls, work: AutobatchWork = 'here') {
    this.deps = deps;
    this.calls = calls;
    this.work = work;
    this.waiters = new Waiters(deps.clock);
  }

  /** Answers a call from a batch, or says that the answer is not there yet. Throws ApiError for what the client can mend. */
  async answer(request: ParkRequest): Promise<CallAnswer> {
    const { actor, wishes } = request;
    const call = readCall(request.endpoint, request.raw, request.headers, request.requestId);
    const wish = readWish(wishes, this.deps.settings, takeForeignMark(call));
    if (wish.interactive) return this.calls.send(request, call);
    const refused = await this.calls.refuse(actor, call);
    if (refused !== null) return refused;
    const { row, place } = await this.attach(actor, call, wish, wishes.idempotencyKey);
    const answered = await this.hold(row, place, wish.holdMs, request.signal);
    if (answered.status === null) return pendingAnswer(answered, wish.pending, this.stopping.signal.aborted);
    await this.noteDelivery(answered, request.signal);
    return deliver(call, answered);
  }

  /** A parked call by its id, after waiting for its answer for `waitMs`. Throws 404. */
  async retrieve(actor: Actor, id: string, waitMs: number, signal: AbortSignal): Promise<WholeAnswer> {
    const row = await this.deps.store.parkedCalls.get(scopeOf(actor), id);
    if (row === null) throw notFound('call', id);
    const most = this.deps.settings.autobatchHoldSeconds * 1_000;
    const answered = await this.hold(row, this.waiters.enter(id), Math.min(waitMs, most), signal);
    if (answered.status === null) {
      const headers = { 'content-type': 'application/json', 'retry-after': '1' };
      return { status: 202, headers, body: JSON.stringify(presentCall(answered)) };
    }
    await this.noteDelivery(answered, signal);
    return wholeAnswer(answered);
  }

  /** Once: whoever asks again for an answer is not to wait for a write, which clients without patience may never do. */
  private async noteDelivery({ id, deliveredAt }: ParkedCallRow, signal: AbortSignal): Promise<void> {
    if (deliveredAt !== null || signal.aborted) return;
    await this.deps.store.parkedCalls.deliver(id, unixSeconds(this.deps.clock));
  }

  /** Begins to make batches of what is parked. */
  start(): void {
    this.running ??= this.run();
  }

  /** Makes batches of everything that is parked, and tells the clients that wait to come back. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.news.abort();
    await this.running;
    this.waiters.wakeAll();
    if (this.running === null) return;
    const { log } = this.deps;
    await this.round(true).catch((error: unknown) => log.error({ err: error }, 'parked calls wait for the next start'));
  }

  private async attach(actor: Actor, call: Call, wish: ParkWish, key: string | undefined) {
    const now = unixSeconds(this.deps.clock);
    const id = formatId('call_', this.deps.random.bytes(ID_BYTES));
    const row = parkedRow(call, { actor, id, now, wish, idempotencyKey: key });
    const known = this.choose(row, wish, await this.find(row, wish, now));
    if (known !== null) return this.taken(known);
    if (await this.deps.store.parkedCalls.insert(row)) {
      this.news.abort();
      if (this.work === 'elsewhere') this.deps.nudge();
      return this.taken(row);
    }
    // Another request with this Idempotency-Key came first.
    const first = this.choose(row, wish, await this.find(row, wish, now));
    if (first === null) throw new Error('a parked call was neither added nor there');
    return this.taken(first);
  }

  /** A row with a place among those that wait for it: at once, so that nobody else takes it for one that was left. */
  private taken(row: ParkedCallRow) {
    return { row, place: this.waiters.enter(row.id) };
  }

  private find(row: ParkedCallRow, wish: ParkWish, now: number): Promise<ParkedCallRow[]> {
    const since = row.named ? 0 : wish.repeated ? now - REDELIVER_SECONDS : now + 1;
    return this.deps.store.parkedCalls.find(row.tenantId, row.dedupe, since);
  }

  /**
   * The row that a request means. Requests that are alike and come side by side are different calls, as they are at a
   * provider; one whose client has gone is what the next such request asks for.
   */
  private choose(row: ParkedCallRow, wish: ParkWish, found: readonly ParkedCallRow[]): ParkedCallRow | null {
    if (row.named) {
      const [first] = found;
      if (first !== undefined && first.fingerprint !== row.fingerprint) {
        throw new ApiError(409, 'This Idempotency-Key was used for another request. Use a new key for a new request.', {
          code: 'idempotency_key_reused',
          param: 'Idempotency-Key',
        });
      }
      return first ?? null;
    }
    const open = found.filter(({ deliveredAt }) => deliveredAt === null);
    const left = open.find(({ id }) => this.waiters.count(id) === 0);
    if (left !== undefined || !wish.repeated) return left ?? null;
    // An answer that failed is not what somebody asks for again.
    const again = found.filter(({ status }) => status === null || status < 400);
    return again.find(({ deliveredAt }) => deliveredAt === null) ?? again.at(-1) ?? null;
  }

  /** Waits for a row's answer, then leaves the place. */
  private async hold(row: ParkedCallRow, place: Place, ms: number, signal: AbortSignal): Promise<ParkedCallRow> {
    try {
      if (row.status !== null) return row;
      const until = AbortSignal.any([signal, this.stopping.signal]);
      // An answer that came between finding the row and waiting for it wakes nobody.
      const before = (await this.deps.store.parkedCalls.get('all', row.id)) ?? row;
      if (before.status !== null || ms <= 0) return before;
      if (this.work === 'here') await place.wait(ms, until);
      else await this.lookFor(row.id, place, ms, until);
      return (await this.deps.store.parkedCalls.get('all', row.id)) ?? row;
    } finally {
      place.leave();
    }
  }

  /** Waits for an answer that nobody here tells of. */
  private async lookFor(id: string, place: Place, ms: number, until: AbortSignal): Promise<void> {
    const { clock, store } = this.deps;
    const since = clock.now();
    for (let waited = 0; waited < ms && !until.aborted; waited = clock.now() - since) {
      const pause = Math.min(ELSEWHERE_MAX_MS, Math.max(ELSEWHERE_MS, waited * ELSEWHERE_SHARE));
      await place.wait(Math.min(pause, ms - waited), until);
      const row = await store.parkedCalls.get('all', id);
      if (row === null || row.status !== null) return;
    }
  }

  /** One look at everything that is due. Answers in how many milliseconds the next calls are; null when none wait. */
  async turn(): Promise<number | null> {
    await this.round(false);
    const { clock, settings, store } = this.deps;
    const waiting = await store.parkedCalls.waiting();
    if (waiting.length === 0) return null;
    const oldest = Math.min(...waiting.map((kind) => kind.oldest));
    return Math.max(0, oldest * 1_000 + settings.autobatchWaitMs - clock.now());
  }

  private async run(): Promise<void> {
    const { clock, log } = this.deps;
    let active = true;
    while (!this.stopping.signal.aborted) {
      this.news = new AbortController();
      active = await this.round(false).catch((error: unknown) => {
        log.error({ err: error }, 'a round of auto-batching failed');
        return true;
      });
      // What is parked while a round runs starts the next one; many calls that come at once share it.
      const rest = active ? ROUND_MS : IDLE_ROUND_MS;
      const signal = AbortSignal.any([this.stopping.signal, ...(active ? [] : [this.news.signal])]);
      if (!this.stopping.signal.aborted) await clock.sleep(rest, signal);
    }
  }

  /** One look at everything that is due. Answers whether there is more to come. */
  private async round(all: boolean): Promise<boolean> {
    const { store } = this.deps;
    await groupDue(this.deps, all);
    const groups = await store.parkedCalls.openGroups();
    for (const group of groups) await this.advance(group, all);
    const open = new Set(groups.map(({ groupId }) => groupId));
    const gone = [...this.watched.keys()].filter((groupId) => !open.has(groupId));
    for (const groupId of gone) this.watched.delete(groupId);
    await this.wakeAnswered(gone.length > 0);
    return groups.length > 0 || this.waiters.ids().length > 0 || (await store.parkedCalls.waiting()).length > 0;
  }

  /** Wakes those whose answers another server has brought: of a group without open calls there is nothing to collect here. */
  private async wakeAnswered(hasNews: boolean): Promise<void> {
    const ids = this.waiters.ids();
    const now = steadyMs(this.deps.clock);
    if (ids.length === 0 || (!hasNews && now < this.lookedForAt + LOOK_FOR_MS)) return;
    this.lookedForAt = now;
    this.waiters.wake(await this.deps.store.parkedCalls.answered(ids));
  }

  /** Starts a group's batch, or takes its answers in. One that fails is tried again later, beside the others. */
  private async advance({ groupId, batchId }: OpenGroup, all: boolean): Promise<void> {
    const now = this.deps.clock.now();
    const watched = this.watched.get(groupId) ?? { after: null, since: now, lookAt: 0 };
    this.watched.set(groupId, watched);
    if (watched.lookAt > now && !all) return;
    try {
      if (batchId === null) this.waiters.wake(await startGroup(this.deps, groupId, new AbortController().signal));
      else if (!all) await this.look({ groupId, batchId }, watched, now);
    } catch (error) {
      this.deps.log.warn({ err: error, group: groupId }, 'a group of parked calls is tried again later');
      watched.lookAt = now + RETRY_MS;
    }
  }

  private async look(group: { groupId: string; batchId: string }, watched: Watched, now: number): Promise<void> {
    const { ids, after } = await collectAnswers(this.deps, group, watched.after, this.stopping.signal);
    watched.after = after;
    if (ids.length > 0) watched.since = now;
    watched.lookAt = now + Math.min(LOOK_MAX_MS, (now - watched.since) * LOOK_SHARE);
    this.waiters.wake(ids);
  }
}

/** Clients written for llmbatching name their provider in the metadata, and poll. It is theirs, not the request's. */
function takeForeignMark(call: Call): boolean {
  if (call.metadata?.originalBaseUrl === undefined) return false;
  const { originalBaseUrl: _theirs, ...metadata } = call.metadata;
  call.metadata = Object.keys(metadata).length === 0 ? null : metadata;
  const { metadata: _forwarded, ...body } = call.request.body;
  call.request.body = call.request.body.metadata === undefined || call.metadata === null ? body : { ...body, metadata };
  return true;
}

function wholeAnswer(row: ParkedCallRow): WholeAnswer {
  const failed = row.status !== null && row.status >= 400;
  const headers = {
    'content-type': 'application/json',
    'x-weir-call': row.id,
    ...(row.batchId !== null && { 'x-weir-batch': row.batchId }),
    // The batch has tried again already.
    ...(failed && { 'x-should-retry': 'false' }),
  };
  return { status: row.status ?? 500, headers, body: row.answer ?? '' };
}

function deliver(call: Call, row: ParkedCallRow): CallAnswer {
  const whole = wholeAnswer(row);
  if (call.stream === null || whole.status >= 400) return whole;
  const { 'content-type': _json, ...headers } = whole.headers;
  return { status: 200, headers, events: finishedEvents(call, whole.body) };
}

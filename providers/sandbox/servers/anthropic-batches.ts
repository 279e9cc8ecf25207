import type { MessageBatch } from '@anthropic-ai/sdk/resources/messages/batches';
import type { RequestBody } from './answer.ts';
import type { Answered } from './answered.ts';
import { answerMessages } from './anthropic-answer.ts';
import { checkMessages } from './anthropic-checks.ts';
import { type AnthropicError, errorObject } from './anthropic-errors.ts';
import type { AnthropicServerSettings } from './anthropic-settings.ts';
import { mixNumbers, seededRandom } from './random.ts';

export interface BatchRequest {
  custom_id: string;
  params: RequestBody;
}

interface StoredBatch {
  id: string;
  requests: BatchRequest[];
  version: string;
  createdMs: number;
  /** When it ends by itself, or after a cancel. */
  dueMs: number;
  cancelMs: number | null;
  endedMs: number | null;
  isForeign: boolean;
  /** Requests that were not answered, and why not. */
  leftAs: 'canceled' | 'expired';
  answered: number;
}

const dayMs = 86_400_000;
/** 2026-01-01; a batch keeps the day in its id apart from its number. */
const idBase = 0x5eed;

/** The message batches of a simulated service. Time is the real one, kept short by `job_ms`. */
export class BatchBook {
  readonly #batches = new Map<string, StoredBatch>();
  readonly #settings: () => AnthropicServerSettings;
  readonly #answered: Answered;
  #made = 0;
  /** Batches created by others than `addForeign`. */
  created = 0;

  constructor(settings: () => AnthropicServerSettings, answered: Answered) {
    this.#settings = settings;
    this.#answered = answered;
  }

  create(requests: BatchRequest[], version: string, isForeign = false): StoredBatch {
    this.#made += 1;
    if (!isForeign) this.created += 1;
    const createdMs = Date.now();
    const batch: StoredBatch = {
      id: `msgbatch_${mixNumbers(this.#made, idBase).toString(16).padStart(8, '0')}${String(this.#made).padStart(8, '0')}`,
      requests,
      version,
      createdMs,
      dueMs: createdMs + (isForeign ? 0 : this.#settings().job_ms),
      cancelMs: null,
      endedMs: null,
      isForeign,
      leftAs: 'canceled',
      answered: requests.length,
    };
    this.#batches.set(batch.id, batch);
    return batch;
  }

  get(id: string): StoredBatch | null {
    const batch = this.#batches.get(id);
    return batch === undefined ? null : this.#advance(batch);
  }

  delete(id: string): void {
    this.#batches.delete(id);
  }

  cancel(batch: StoredBatch): void {
    if (batch.cancelMs !== null) return;
    batch.cancelMs = Date.now();
    batch.answered = this.#settings().hold === 'half' ? Math.floor(batch.requests.length / 2) : 0;
    batch.leftAs = 'canceled';
    batch.dueMs = batch.cancelMs + this.#settings().job_ms;
  }

  /** The day of every unfinished batch is over. */
  expire(): void {
    for (const batch of this.#batches.values()) {
      if (this.#advance(batch).endedMs !== null) continue;
      batch.answered = this.#settings().hold === false ? 0 : Math.floor(batch.requests.length / 2);
      batch.leftAs = 'expired';
      this.#end(batch, Date.now());
    }
  }

  /** Newest first. */
  list(): StoredBatch[] {
    return [...this.#batches.values()].map((batch) => this.#advance(batch)).reverse();
  }

  /** Requests that wait in the processing queue. */
  queued(): number {
    return this.list().reduce((sum, batch) => sum + (batch.endedMs === null ? batch.requests.length : 0), 0);
  }

  held(): { created: number; live: number; files: number } {
    const ours = this.list().filter(({ isForeign }) => !isForeign);
    const live = ours.filter(({ endedMs }) => endedMs === null).length;
    return { created: this.created, live, files: ours.length - live };
  }

  #advance(batch: StoredBatch): StoredBatch {
    const isHeld = this.#settings().hold !== false && batch.cancelMs === null && !batch.isForeign;
    if (batch.endedMs === null && !isHeld && Date.now() >= batch.dueMs)
      this.#end(batch, Math.max(batch.dueMs, batch.createdMs));
    return batch;
  }

  #end(batch: StoredBatch, atMs: number): void {
    batch.endedMs = atMs;
    if (!this.#answered.isCounting) return;
    for (const [index, { params }] of batch.requests.entries())
      if (this.#outcomeOf(batch, index).type === 'succeeded') this.#answered.add(params);
  }

  /** The lines of a batch that has ended, in no particular order. */
  *lines(batch: StoredBatch): Generator<string> {
    const { seed } = this.#settings();
    const random = seededRandom(seed);
    const order = batch.requests.map((_, index) => ({ index, place: random() })).sort((a, b) => a.place - b.place);
    for (const { index } of order) {
      const request = batch.requests[index];
      if (request !== undefined)
        yield JSON.stringify({ custom_id: request.custom_id, result: this.#resultOf(batch, index) });
    }
  }

  counts(batch: StoredBatch): MessageBatch['request_counts'] {
    const counts = { processing: 0, succeeded: 0, errored: 0, canceled: 0, expired: 0 };
    if (batch.endedMs === null) return { ...counts, processing: batch.requests.length };
    batch.requests.forEach((_, index) => {
      counts[this.#outcomeOf(batch, index).type] += 1;
    });
    return counts;
  }

  #outcomeOf(
    batch: StoredBatch,
    index: number,
  ): { type: 'succeeded' | 'errored' | StoredBatch['leftAs']; error?: AnthropicError } {
    const settings = this.#settings();
    const request = batch.requests[index];
    if (index >= batch.answered || request === undefined) return { type: batch.leftAs };
    if (settings.rate_errored > 0 && seededRandom(hashOf(request.custom_id))() < settings.rate_errored) {
      return {
        type: 'errored',
        error: { status: 500, type: settings.errored_type, message: settings.errored_message },
      };
    }
    const { stream } = request.params;
    const streamed = {
      status: 400,
      type: 'invalid_request_error',
      message: 'stream: streaming is not supported in batches',
    };
    const error = stream === true ? streamed : checkMessages(request.params, settings.models, batch.version);
    return error === null ? { type: 'succeeded' } : { type: 'errored', error };
  }

  #resultOf(batch: StoredBatch, index: number): object {
    const { type, error } = this.#outcomeOf(batch, index);
    if (error !== undefined) return { type, error: errorObject(error, null) };
    if (type !== 'succeeded') return { type };
    return { type, message: answerMessages(batch.requests[index]?.params ?? {}, this.#settings(), 'batch') };
  }

  view(batch: StoredBatch, origin: string): MessageBatch {
    const settings = this.#settings();
    const hasResults = batch.endedMs !== null && !settings.archived;
    const resultsUrl = `${settings.results_origin ?? origin}/v1/messages/batches/${batch.id}/results`;
    return {
      id: batch.id,
      type: 'message_batch',
      processing_status: batch.endedMs !== null ? 'ended' : batch.cancelMs !== null ? 'canceling' : 'in_progress',
      request_counts: this.counts(batch),
      created_at: timeOf(batch.createdMs),
      expires_at: timeOf(batch.createdMs + dayMs),
      ended_at: batch.endedMs === null ? null : timeOf(batch.endedMs),
      cancel_initiated_at: batch.cancelMs === null ? null : timeOf(batch.cancelMs),
      archived_at: settings.archived ? timeOf(batch.createdMs + 29 * dayMs) : null,
      results_url: hasResults ? resultsUrl : null,
    };
  }
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}

function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}

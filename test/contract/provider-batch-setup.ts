import type { TestContext } from 'vitest';
import type {
  BatchApi,
  BatchCall,
  BatchResult,
  Progress,
  Provider,
  ProviderBatch,
  ProviderRefs,
  ShardInput,
} from '../../providers/contract.ts';
import { ProviderError } from '../../providers/contract.ts';
import { createNodeHttpClient } from '../../providers/shared/http-node.ts';
import type { Failure } from '../../src/core/failure.ts';
import type { Endpoint } from '../../src/protocol/endpoint.ts';

/**
 * What a simulated batch service can be made to do. A member that is absent says that this service cannot do it, and its
 * test is skipped. Each is in force from the call on, for the batches and calls that follow, unless it says `next`.
 */
export interface BatchFaults {
  /** The next create call makes the batch, but its answer never arrives. */
  loseCreateAnswer?(): void | Promise<void>;
  /** Half of the lines of each batch get done, then it stands still until `release`, a cancel or `expire`. */
  stopHalfway?(): void | Promise<void>;
  /** Every batch that stands still ends now because its time is over. */
  expire?(): void | Promise<void>;
  failEveryLine?(): void | Promise<void>;
  /** The service's own validation refuses the second line of each batch. */
  refuseSecondLine?(): void | Promise<void>;
  /** The first polls that say "done" do not say yet where the results are. */
  lateOutput?(): void | Promise<void>;
  /** Places that hold nothing are named by empty texts, or point to empty files. */
  emptyPlaces?(): void | Promise<void>;
  /** The next download breaks at 30 %; its length was announced. */
  cutNextDownload?(): void | Promise<void>;
  /** The next download ends at 30 % as if it were whole; its length was not announced. */
  shortenNextDownload?(): void | Promise<void>;
  /** Results hold besides the due lines: one key twice, a key that is nobody's, a line without a key, one that is no JSON, blank lines. */
  oddLines?(): void | Promise<void>;
  /** The next poll answers with a status word that no documentation names. */
  unknownStatus?(): void | Promise<void>;
  /** The next poll answers with a state from before the present one. */
  backwardStatus?(): void | Promise<void>;
  /** Polls answer 404. */
  notFound?(): void | Promise<void>;
  /** The next poll answers 200 with something that is no status. */
  badPoll?(form: 'html' | 'empty' | 'truncated' | 'error'): void | Promise<void>;
  /** The next call answers 429 and asks to wait 7 seconds. */
  rateLimitNext?(): void | Promise<void>;
  /** The create call is refused because the service's queue, job slots or files are full. */
  quotaFull?(): void | Promise<void>;
  /** The create call works, and the batch fails soon after because the queue is full. */
  quotaFullLater?(): void | Promise<void>;
  /** The credential is no longer accepted. */
  badCredentials?(): void | Promise<void>;
  /** Every call is refused with a text that repeats the headers it came with. */
  echoHeaders?(): void | Promise<void>;
  /** Results are so large that they hold at least `bytes` in all. */
  largeAnswers?(bytes: number): void | Promise<void>;
}

export interface BatchSimulator {
  /** Batches stay unfinished until `release`. */
  hold(): void | Promise<void>;
  release(): void | Promise<void>;
  /** Batches ever created, batches that can still cost money, and files held now; those of `addForeign` not counted. */
  held(): { created: number; live: number; files: number };
  /** Puts a batch and a file there that another program made. */
  addForeign(): void | Promise<void>;
  /** Bytes of results sent so far. */
  sentBytes(): number;
  faults: BatchFaults;
}

export interface BatchSubject {
  provider: Provider;
  model: string;
  endpoint?: Endpoint;
  /** The credential it is configured with; it must never appear in a failure. */
  secret: string;
  /** Fewest lines the service takes; 1 when absent. */
  linesMin?: number;
  /** Where a token can be read: on each remote object (default), or only in the results of a batch that has ended. */
  tokensIn?: 'objects' | 'results';
  simulator: BatchSimulator;
  stop(): Promise<void>;
}

const bodies: Partial<Record<Endpoint, Record<string, unknown>>> = {
  '/v1/chat/completions': { messages: [{ role: 'user', content: 'What is 2 + 2?' }], max_tokens: 20 },
  '/v1/embeddings': { input: ['two', 'three'] },
};

/** One subject at work: short words for what the tests do. */
export class Bench {
  readonly subject: BatchSubject;
  readonly api: BatchApi;
  readonly simulator: BatchSimulator;
  /** Everything that `call.saved` was told, merged. */
  refs: ProviderRefs = {};
  nowMs = Date.now();
  signal: AbortSignal | undefined;
  /** What `call.saved` does beside remembering. */
  onSaved: (refs: ProviderRefs) => Promise<void> = async () => {};
  readonly #http = createNodeHttpClient();

  constructor(subject: BatchSubject) {
    if (subject.provider.batch === undefined) throw new Error('the provider has no batch service');
    this.subject = subject;
    this.api = subject.provider.batch;
    this.simulator = subject.simulator;
  }

  async close(): Promise<void> {
    await this.#http.close();
    await this.subject.provider.close?.();
    await this.subject.stop();
  }

  call(): BatchCall {
    return {
      http: this.#http,
      fetch,
      timeoutMs: 5000,
      maxResponseBytes: 16_000_000,
      nowMs: this.nowMs,
      signal: this.signal,
      saved: async (refs) => {
        this.refs = { ...this.refs, ...refs };
        await this.onSaved(refs);
      },
    };
  }

  /** How many lines a test's batch has. */
  get size(): number {
    return Math.max(8, this.subject.linesMin ?? 1);
  }

  keys(count = this.size): string[] {
    return Array.from({ length: count }, (_, index) => `r-${index}`);
  }

  input(token = 'weir-shard-1', count = this.size): ShardInput {
    const endpoint = this.subject.endpoint ?? '/v1/chat/completions';
    const { model, provider } = this.subject;
    const converted = provider.convert({ customId: 'x', endpoint, body: bodies[endpoint] ?? {} }, model);
    if (!converted.ok) throw new Error(converted.failure.message);
    const text = this.keys(count)
      .map((key) => `${this.api.line(key, converted.request)}\n`)
      .join('');
    const bytes = Buffer.from(text);
    return {
      token,
      endpoint,
      model: converted.request.model,
      lines: count,
      bytes: bytes.length,
      async *open() {
        for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000);
      },
      options: {},
    };
  }

  async submit(token?: string, count?: number): Promise<ProviderBatch> {
    const batch = await this.api.submit(this.input(token, count), this.call());
    return { id: batch.id, refs: { ...this.refs, ...batch.refs } };
  }

  /** Polls until the batch is over; keeps what the polls tell. Fails after ten seconds. */
  async over(batch: ProviderBatch): Promise<{ progress: Progress; batch: ProviderBatch }> {
    const deadline = performance.now() + 10_000;
    let known = batch;
    for (;;) {
      // The simulated services make large results in this process, which answers nothing meanwhile.
      const progress = await this.api.poll(known, { ...this.call(), timeoutMs: 20_000 });
      known = { id: known.id, refs: { ...known.refs, ...progress.refs } };
      if (progress.state !== 'running') return { progress, batch: known };
      if (performance.now() > deadline) throw new Error(`still ${progress.raw} after ten seconds`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** Polls until `isTrue` of a progress. */
  async polled(batch: ProviderBatch, isTrue: (progress: Progress) => boolean): Promise<Progress> {
    const deadline = performance.now() + 10_000;
    for (;;) {
      const progress = await this.api.poll(batch, this.call());
      if (isTrue(progress)) return progress;
      if (performance.now() > deadline) throw new Error(`not so after ten seconds: ${JSON.stringify(progress)}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  collect(batch: ProviderBatch): Promise<BatchResult[]> {
    return gather(this.api.results(batch, this.call()));
  }
}

/** The failure with which a promise rejects; anything but a ProviderError fails the test. */
export async function failureOf(promise: Promise<unknown>): Promise<Failure> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof ProviderError) return error.failure;
    throw error;
  }
  throw new Error('did not reject');
}

export function keysOf(results: readonly BatchResult[]): (string | null)[] {
  return results.map(({ key }) => key).toSorted();
}

export async function gather<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** Gives a bench over a fresh subject; it is closed after the test. */
export type OpenBench = () => Promise<Bench>;

/** Arms a fault, or skips the test where the service cannot have it. */
export async function arm<Name extends keyof BatchFaults>(
  context: TestContext,
  bench: Bench,
  name: Name,
  ...values: Parameters<NonNullable<BatchFaults[Name]>>
): Promise<void> {
  const fault = bench.simulator.faults[name] as ((...values: unknown[]) => void | Promise<void>) | undefined;
  if (fault === undefined) context.skip(`this service cannot have the fault ${name}`);
  else await fault.apply(bench.simulator.faults, values);
}

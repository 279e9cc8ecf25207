import { randomUUID } from 'node:crypto';
import { Answered, type KeyOf } from './answered.ts';
import { type ControlAnswer, createJob, getJob, listJobs, stopJob } from './bedrock-control.ts';
import { awsFrame, bedrockFrames } from './bedrock-events.ts';
import { type CreateInput, type Job, JobStore } from './bedrock-jobs.ts';
import { type AnswerHook, answerModel } from './bedrock-models.ts';
import { reply, send } from './bedrock-replies.ts';
import { type ModelCall, readBody, type Wanted, wantedBy } from './bedrock-requests.ts';
import {
  type BedrockChanges,
  type BedrockFault,
  type BedrockSettings,
  changeBedrockSettings,
} from './bedrock-settings.ts';
import { sendFrames } from './native-streams.ts';
import { type SimulatedS3, startS3Server } from './s3.ts';
import { type Listening, listenOnLoopback, type ReceivedRequest } from './s3-listening.ts';
import type { S3Options } from './s3-settings.ts';
import { checkSignature } from './s3-signature.ts';

/** Exact counts of the requests that were answered, and of what was billed. */
export interface BedrockCounters {
  create: number;
  get: number;
  list: number;
  stop: number;
  converse: number;
  invoke: number;
  /** Most immediate calls at once. */
  max_running: number;
  immediate_input_tokens: number;
  immediate_output_tokens: number;
  /** Streams that did not come to their end: broken off, or left by their clients. */
  streams_left: number;
}

/** A simulated Amazon Bedrock (jobs and runtime at one address) with its S3. */
export interface SimulatedBedrock extends Listening {
  readonly s3: SimulatedS3;
  readonly counters: Readonly<BedrockCounters>;
  readonly settings: Readonly<BedrockSettings>;
  /** Good answers, of calls and of jobs that have ended, by `count_by`. */
  readonly answered: ReadonlyMap<string, number>;
  /** Jobs, oldest first, brought to where they are by now. */
  jobs(): readonly Job[];
  /** Changes options at once. Throws zod's error and then changes nothing. */
  configure(options: LiveBedrockOptions): void;
  /** Takes every job one step further, when `job_ms` is null. */
  advance(): void;
}

export interface LiveBedrockOptions extends BedrockChanges {
  /** The text to answer a native body with, for example a recorded one. */
  answer?: AnswerHook | null;
}

/** Starts both servers on loopback. Throws zod's error for wrong options. */
export async function startBedrockServer(
  options: LiveBedrockOptions & { port?: number; s3?: S3Options & { port?: number }; count_by?: KeyOf } = {},
): Promise<SimulatedBedrock> {
  const { port, s3: s3Options = {}, count_by: countBy, ...live } = options;
  const server = new BedrockServer(new Answered(countBy));
  server.configure(live);
  const { region, caller } = server.settings;
  const s3 = await startS3Server({ region, caller, ...s3Options });
  server.s3 = s3;
  const listening = await listenOnLoopback((received) => server.answer(received), port);
  return {
    ...listening,
    s3,
    counters: server.counters,
    get settings() {
      return server.settings;
    },
    answered: server.answered.counts,
    jobs: () => server.settledJobs(),
    configure: (changes) => server.configure(changes),
    advance: () => server.advance(),
    async stop() {
      await Promise.all([listening.stop(), s3.stop()]);
    },
  };
}

class BedrockServer {
  settings: BedrockSettings = changeBedrockSettings({});
  s3: SimulatedS3 | null = null;
  readonly answered: Answered;
  readonly store: JobStore;
  readonly counters: BedrockCounters = {
    create: 0,
    get: 0,
    list: 0,
    stop: 0,
    converse: 0,
    invoke: 0,
    max_running: 0,
    immediate_input_tokens: 0,
    immediate_output_tokens: 0,
    streams_left: 0,
  };
  #hook: AnswerHook | null = null;
  #used = new Map<BedrockFault, number>();
  #running = 0;

  constructor(answered: Answered) {
    this.answered = answered;
    this.store = new JobStore(answered);
  }

  configure({ answer, ...changes }: LiveBedrockOptions): void {
    this.settings = changeBedrockSettings(changes, this.settings);
    if (answer !== undefined) this.#hook = answer;
    if (changes.faults !== undefined) this.#used.clear();
  }

  advance(): void {
    for (const job of this.store.jobs.values()) job.steps += 1;
    this.settledJobs();
  }

  settledJobs(): readonly Job[] {
    if (this.s3 !== null) this.store.settle(this.settings, this.s3.store, this.#hook, Date.now());
    return [...this.store.jobs.values()];
  }

  answer(received: ReceivedRequest): void {
    const nowMs = Date.now();
    const { caller, region } = this.settings;
    const problem = caller === null ? null : checkSignature(received, caller, { region, service: 'bedrock' }, nowMs);
    if (problem !== null) {
      reply(received, { ok: false, name: problem.runtimeName, status: 403, message: problem.message });
      return;
    }
    if (this.settings.echo_headers) {
      const message = `you sent ${JSON.stringify(received.headers)}`;
      reply(received, { ok: false, name: 'ValidationException', status: 400, message });
      return;
    }
    const wanted = wantedBy(received);
    if (wanted.on === 'unknown') {
      reply(received, { ok: false, name: 'UnknownOperationException', status: 404, message: '' });
      return;
    }
    this.counters[wanted.on] += 1;
    this.settledJobs();
    const fault = this.#faultFor(wanted.on);
    if (typeof fault === 'object' && fault !== null) {
      const { name, status, message, retry_after: retryAfter } = fault;
      reply(received, { ok: false, name, status, message, retryAfter });
      return;
    }
    if (fault === 'hang') return;
    if (fault === 'reset') {
      received.response.destroy();
      return;
    }
    if (wanted.on === 'converse' || wanted.on === 'invoke') this.#call(received, wanted, fault);
    else send(received, this.#control(received, wanted, nowMs), fault);
  }

  #faultFor(on: string): BedrockFault['fault'] | null {
    for (const entry of this.settings.faults) {
      const used = this.#used.get(entry) ?? 0;
      if ((entry.on !== on && entry.on !== 'any') || (entry.times !== null && used >= entry.times)) continue;
      this.#used.set(entry, used + 1);
      return entry.fault;
    }
    return null;
  }

  #control({ url, body }: ReceivedRequest, wanted: Wanted, nowMs: number): ControlAnswer {
    const { store, settings } = this;
    switch (wanted.on) {
      case 'create':
        return createJob(store, JSON.parse(body.toString()) as CreateInput, settings, nowMs);
      case 'list':
        return listJobs(store, url.searchParams, settings, nowMs);
      case 'get':
        return getJob(store, wanted.job, settings, nowMs);
      case 'stop':
        return stopJob(store, wanted.job, settings, nowMs);
      case 'converse':
      case 'invoke':
      case 'unknown':
        return { ok: false, name: 'UnknownOperationException', status: 404, message: '' };
    }
  }

  /** One immediate call, after its latency. */
  #call(received: ReceivedRequest, wanted: ModelCall, fault: string | null): void {
    const { slots, latency_ms: latencyMs, models } = this.settings;
    if (slots !== null && this.#running >= slots) {
      const message = 'Too many requests, please wait before trying again.';
      reply(received, { ok: false, name: 'ThrottlingException', status: 429, message });
      return;
    }
    if (models !== null && !models.includes(wanted.model)) {
      const message = 'The provided model identifier is invalid.';
      reply(received, { ok: false, name: 'ValidationException', status: 400, message });
      return;
    }
    this.#running += 1;
    this.counters.max_running = Math.max(this.counters.max_running, this.#running);
    const finish = () => {
      this.#running -= 1;
      if (!received.response.destroyed) this.#finish(received, wanted, fault);
    };
    if (latencyMs === 0) finish();
    else setTimeout(finish, latencyMs);
  }

  #finish(received: ReceivedRequest, { on: operation, model, streams }: ModelCall, fault: string | null): void {
    const body = readBody(received.body);
    const answer = answerModel(operation, model, body, this.settings, this.#hook);
    if (!answer.ok) {
      reply(received, { ok: false, name: 'ValidationException', status: answer.status, message: answer.message });
      return;
    }
    this.answered.add(body);
    this.counters.immediate_input_tokens += answer.inputTokens;
    this.counters.immediate_output_tokens += answer.outputTokens;
    if (streams && fault === null) {
      this.#stream(received, bedrockFrames(operation, answer.output));
      return;
    }
    const hasCounts = this.settings.usage !== 'absent' && operation === 'invoke';
    const counts = hasCounts ? { 'x-amzn-bedrock-input-token-count': String(answer.inputTokens) } : {};
    send(received, { ok: true, body: answer.output }, fault, counts);
  }

  #stream({ response }: ReceivedRequest, frames: readonly Uint8Array[]): void {
    const { stream } = this.settings;
    const error = awsFrame('exception', stream.error_name ?? 'throttlingException', { message: 'Too many tokens.' });
    const headers = { 'x-amzn-requestid': randomUUID() };
    const onEnd = (isWhole: boolean): void => {
      if (!isWhole) this.counters.streams_left += 1;
    };
    void sendFrames(response, { type: 'application/vnd.amazon.eventstream', headers, frames, error, onEnd }, stream);
  }
}

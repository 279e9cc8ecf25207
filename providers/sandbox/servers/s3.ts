import type { ServerResponse } from 'node:http';
import { decodeAwsChunked } from './s3-chunked.ts';
import { type Listening, listenOnLoopback, type ReceivedRequest } from './s3-listening.ts';
import { operate, operationOf, type S3Answer, s3Error } from './s3-operations.ts';
import { changeS3Settings, type S3Options, type S3Settings } from './s3-settings.ts';
import { checkSignature } from './s3-signature.ts';
import { ObjectStore } from './s3-store.ts';

/** A simulated S3 with one bucket, addressed by path. It checks signatures (Version 4) and decodes aws-chunked bodies. */
export interface SimulatedS3 extends Listening {
  readonly store: ObjectStore;
  /** Exact counts of the requests that were answered, by operation. */
  readonly counters: Readonly<Record<string, number>>;
  /** Bytes of objects that went out to the network. */
  readonly sentBytes: number;
  readonly settings: Readonly<S3Settings>;
  /** Changes options at once. Throws zod's error and then changes nothing. */
  configure(options: S3Options): void;
}

export async function startS3Server(options: S3Options & { port?: number } = {}): Promise<SimulatedS3> {
  const { port, ...changes } = options;
  const server = new S3Server(changes);
  const listening = await listenOnLoopback((received) => server.answer(received), port);
  return {
    ...listening,
    store: server.store,
    counters: server.counters,
    get settings() {
      return server.settings;
    },
    get sentBytes() {
      return server.sentBytes;
    },
    configure: (changed) => server.configure(changed),
  };
}

class S3Server {
  settings: S3Settings;
  readonly store = new ObjectStore();
  readonly counters: Record<string, number> = {};
  sentBytes = 0;
  #failures = 0;
  #matches = 0;
  #cuts = 0;

  constructor(options: S3Options) {
    this.settings = changeS3Settings(options);
  }

  configure(options: S3Options): void {
    this.settings = changeS3Settings(options, this.settings);
    this.#failures = 0;
    this.#matches = 0;
    this.#cuts = 0;
  }

  answer(received: ReceivedRequest): void {
    const [, bucket = '', ...rest] = received.url.pathname.split('/');
    const key = decodeURIComponent(rest.join('/'));
    const operation = operationOf(received, key) ?? 'Unknown';
    this.counters[operation] = (this.counters[operation] ?? 0) + 1;
    this.#send(received, operation, this.#answerOf(received, bucket, key, operation));
  }

  #answerOf(received: ReceivedRequest, bucket: string, key: string, operation: string): S3Answer {
    const { caller, region } = this.settings;
    const nowMs = Date.now();
    const problem = caller === null ? null : checkSignature(received, caller, { region, service: 's3' }, nowMs);
    if (problem !== null) return s3Error(403, problem.code, problem.message);
    if (this.settings.echo_headers) {
      return s3Error(400, 'InvalidRequest', `you sent ${JSON.stringify(received.headers)}`);
    }
    if (bucket !== this.settings.bucket) return s3Error(404, 'NoSuchBucket', 'The specified bucket does not exist');
    if (this.#isToFail(operation)) {
      const { status, code } = this.settings.fail ?? { status: 500, code: 'InternalError' };
      return s3Error(status, code, 'A simulated failure.');
    }
    const { headers, url } = received;
    const isChunked = headers['x-amz-content-sha256']?.startsWith('STREAMING-') === true;
    const body = isChunked ? decodeAwsChunked(received.body) : received.body;
    if (body === null) return s3Error(400, 'IncompleteBody', 'The chunked body is malformed.');
    if (operation === 'Unknown') return s3Error(501, 'NotImplemented', 'This simulation does not know the operation.');
    return operate(this.store, this.settings, { operation, key, query: url.searchParams, headers, body }, nowMs);
  }

  #isToFail(operation: string): boolean {
    const { fail } = this.settings;
    if (fail === null || (fail.operation !== null && fail.operation !== operation)) return false;
    this.#matches += 1;
    if (this.#matches <= fail.after || (fail.times !== null && this.#failures >= fail.times)) return false;
    this.#failures += 1;
    return true;
  }

  #send({ response, method }: ReceivedRequest, operation: string, { status, headers, body }: S3Answer): void {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    const { cut_after_bytes: cut, cut_times: times, cut_silently: isSilent } = this.settings;
    const isCut = operation === 'GetObject' && status < 300 && cut !== null && cut < bytes.length && this.#cuts < times;
    const all = { ...headers, 'x-amz-request-id': 'SIM', 'x-amz-id-2': 'sim' };
    if (!isCut) {
      response.writeHead(status, { ...all, ...(status !== 204 && { 'content-length': String(bytes.length) }) });
      if (method === 'HEAD') response.end();
      else void this.#stream(response, bytes);
      return;
    }
    this.#cuts += 1;
    const part = bytes.subarray(0, cut);
    response.writeHead(status, { ...all, 'content-length': String(isSilent ? part.length : bytes.length) });
    if (isSilent) response.end(part);
    else response.write(part, () => response.destroy());
  }

  /** Writes as fast as the reader takes it. */
  async #stream(response: ServerResponse, bytes: Buffer): Promise<void> {
    const piece = 65_536;
    for (let start = 0; start < bytes.length; start += piece) {
      if (response.destroyed) return;
      const part = bytes.subarray(start, start + piece);
      this.sentBytes += part.length;
      if (response.write(part)) continue;
      await readyOrGone(response);
    }
    response.end();
  }
}

function readyOrGone(response: ServerResponse): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const go = () => {
    response.off('drain', go).off('close', go);
    resolve();
  };
  response.on('drain', go).on('close', go);
  return promise;
}

import type { Buffer } from 'node:buffer';
import type { RequestBody } from './answer.ts';
import type { Operation } from './bedrock-models.ts';
import type { ReceivedRequest } from './s3-listening.ts';

/** What a request asks of the simulated Bedrock. */
export type Wanted =
  | { on: 'create' | 'list' }
  | { on: 'get' | 'stop'; job: string }
  | { on: Operation; model: string; streams: boolean }
  | { on: 'unknown' };

/** A call of the runtime. */
export type ModelCall = Extract<Wanted, { on: Operation }>;

const operations: Readonly<Record<string, Omit<ModelCall, 'model'>>> = {
  converse: { on: 'converse', streams: false },
  'converse-stream': { on: 'converse', streams: true },
  invoke: { on: 'invoke', streams: false },
  'invoke-with-response-stream': { on: 'invoke', streams: true },
};

/** Which operation a request's address names. */
export function wantedBy({ method, url }: ReceivedRequest): Wanted {
  const [, first = '', id = '', last = ''] = url.pathname.split('/').map(decodeURIComponent);
  if (first === 'model-invocation-jobs' && method === 'GET') return { on: 'list' };
  if (first === 'model-invocation-job' && id === '' && method === 'POST') return { on: 'create' };
  if (first === 'model-invocation-job' && method === 'GET') return { on: 'get', job: id };
  if (first === 'model-invocation-job' && last === 'stop' && method === 'POST') return { on: 'stop', job: id };
  const operation = Object.hasOwn(operations, last) ? operations[last] : undefined;
  if (first === 'model' && method === 'POST' && operation !== undefined) return { ...operation, model: id };
  return { on: 'unknown' };
}

/** The body of a call; an empty one where it is no JSON. */
export function readBody(body: Buffer): RequestBody {
  try {
    return JSON.parse(body.toString()) as RequestBody;
  } catch {
    return {};
  }
}

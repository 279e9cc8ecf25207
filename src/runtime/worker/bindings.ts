import type { R2Bucket } from '../../files/r2.ts';
import type { Environment } from '../env.ts';

/** What wrangler.toml, `wrangler secret put` and the dashboard bind to the Worker: one bucket, and text. */
export interface WorkerBindings {
  FILES?: R2Bucket;
  readonly [name: string]: unknown;
}

/** What is used of workerd's own objects. Source: developers.cloudflare.com/workers/runtime-apis/context. */
export interface ExecutionContext {
  /** Keeps the invocation alive until the promise settles, at most 30 seconds after its answer. */
  waitUntil(promise: Promise<unknown>): void;
}

/** The bindings that are text: vars and secrets. */
export function environmentOf(bindings: WorkerBindings): Environment {
  return Object.fromEntries(
    Object.entries(bindings).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

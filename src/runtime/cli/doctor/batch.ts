import { type BatchApi, type BatchCall, type Provider, ProviderError } from '../../../../providers/contract.ts';
import type { HttpClient } from '../../../ports/http-client.ts';
import { plural } from '../figures.ts';
import { type Check, finding, reasonOf } from './check.ts';
import { batchRemedyOf } from './remedies.ts';

const CALL_MS = 10_000;
/** An account may hold so much that its lists take minutes: their beginning proves enough. */
const LIST_MS = 20_000;
const OBJECTS_MOST = 1_000;
const ANSWER_BYTES_MAX = 16 * 1024 ** 2;

/** Whether batches of a provider have the rights they need; costs nothing, and leaves nothing behind. */
export async function checkBatch(provider: Provider, api: BatchApi, http: HttpClient): Promise<Check[]> {
  const listed = await checkLists(provider, api, http);
  // Who may not even list is told once.
  if (listed.status === 'failed' || api.probe === undefined) return [listed];
  const name = nameOf(provider);
  try {
    const steps = await api.probe(callWith(http, AbortSignal.timeout(LIST_MS)));
    const checks = steps.map((step) =>
      finding(name, step.ok ? 'ok' : 'failed', step.name, { remedies: step.remedy === null ? [] : [step.remedy] }),
    );
    return [listed, ...checks];
  } catch (error) {
    return [listed, failed(provider, error, {})];
  }
}

async function checkLists(provider: Provider, api: BatchApi, http: HttpClient): Promise<Check> {
  const deadline = AbortSignal.timeout(LIST_MS);
  const startedAt = performance.now();
  const latency = () => ({ latencyMs: performance.now() - startedAt });
  const counts = { batch: 0, file: 0, live: 0 };
  try {
    for await (const { kind, live } of api.inventory(callWith(http, deadline))) {
      counts[kind] += 1;
      if (live) counts.live += 1;
      if (counts.batch + counts.file >= OBJECTS_MOST || deadline.aborted) break;
    }
  } catch (error) {
    if (deadline.aborted) {
      return finding(nameOf(provider), 'info', `its lists take more than ${LIST_MS / 1000} s`, latency());
    }
    return failed(provider, error, latency());
  }
  const batches = counts.batch === 1 ? '1 batch' : `${counts.batch} batches`;
  const detail = `lists batches and files: ${batches} of Weir, ${counts.live} of them running, ${plural(counts.file, 'file')}`;
  return finding(nameOf(provider), 'ok', detail, latency());
}

function failed(provider: Provider, error: unknown, latency: { latencyMs?: number }): Check {
  const kind = error instanceof ProviderError ? error.failure.kind : 'connection';
  const reason = reasonOf(error).replace(`${provider.name}: `, '');
  return finding(nameOf(provider), 'failed', reason, { ...latency, remedies: [batchRemedyOf(kind, provider.kind)] });
}

function nameOf(provider: Provider): string {
  return `${provider.name} batch`;
}

function callWith(http: HttpClient, signal: AbortSignal): BatchCall {
  return {
    http,
    fetch: globalThis.fetch,
    timeoutMs: CALL_MS,
    maxResponseBytes: ANSWER_BYTES_MAX,
    nowMs: Date.now(),
    signal,
    saved: () => Promise.resolve(),
  };
}

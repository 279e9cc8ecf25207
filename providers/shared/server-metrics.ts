import type { ServerLoad } from '../../src/core/adaptive/load.ts';

/** How the samples of several engines or ranks of one server make one figure. */
type Merge = 'sum' | 'max';

/** Names of vLLM (V1 and older), SGLang, text-generation-inference and llama.cpp; the first that is there counts. */
const SAMPLES: Readonly<Record<keyof ServerLoad, { merge: Merge; names: readonly string[] }>> = {
  running: {
    merge: 'sum',
    names: [
      'vllm:num_requests_running',
      'sglang:num_running_reqs',
      'tgi_batch_current_size',
      'llamacpp:requests_processing',
    ],
  },
  waiting: {
    merge: 'sum',
    names: [
      // Newer vLLM's count of those that wait for room. It counts others as waiting, too: for a grammar, or for a cache elsewhere.
      'vllm:num_requests_waiting_by_reason/capacity',
      'vllm:num_requests_waiting',
      'sglang:num_queue_reqs',
      'tgi_queue_size',
      'llamacpp:requests_deferred',
    ],
  },
  cacheUsage: {
    merge: 'max',
    names: [
      'vllm:kv_cache_usage_perc',
      'vllm:gpu_cache_usage_perc',
      'sglang:token_usage',
      'llamacpp:kv_cache_usage_ratio',
    ],
  },
  promptTokens: {
    merge: 'sum',
    names: [
      'vllm:prefix_cache_queries_total',
      'vllm:prefix_cache_queries',
      'vllm:gpu_prefix_cache_queries_total',
      'vllm:gpu_prefix_cache_queries',
      'sglang:prompt_tokens_total',
    ],
  },
  cachedTokens: {
    merge: 'sum',
    names: [
      'vllm:prefix_cache_hits_total',
      'vllm:prefix_cache_hits',
      'vllm:gpu_prefix_cache_hits_total',
      'vllm:gpu_prefix_cache_hits',
      'sglang:cached_tokens_total',
    ],
  },
};

/** No line of a figure that is read is longer, its labels included. */
const LINE_LENGTH_MAX = 4_096;
/** A label's value may hold anything, braces too. */
const SAMPLE = /^(vllm|sglang|tgi|llamacpp)([:_]\w+)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})?[ \t]+(\S+)/;
/** The ranks that work on the same requests may all count them; those of data parallelism have requests of their own. */
const SAME_REQUESTS = /(?:^|,)\s*(?:tp|pp|moe_ep)(?:_rank)?\s*=\s*"[^"]*"/g;

/** SGLang that schedules by priority counts those of each one beside all that it has, whose priority is ''. */
const OF_ALL_PRIORITIES: ReadonlySet<string> = new Set(['sglang:num_running_reqs', 'sglang:num_queue_reqs']);
const OF_ONE_PRIORITY = /(?:^|,)\s*priority\s*=\s*"[^"]/;
const REASON = /(?:^|,)\s*reason\s*=\s*"(\w*)"/;

/** What a server's Prometheus text says of its load; null when it says nothing that is known. */
export function readServerLoad(text: string): ServerLoad | null {
  const samples = readSamples(text);
  const read = (key: keyof ServerLoad): number | null => {
    const { merge, names } = SAMPLES[key];
    for (const name of names) {
      const values = [...(samples.get(name)?.values() ?? [])];
      if (values.length === 0) continue;
      return merge === 'sum' ? values.reduce((sum, value) => sum + value, 0) : Math.min(1, Math.max(...values));
    }
    return null;
  };
  const load: ServerLoad = {
    running: read('running'),
    waiting: read('waiting'),
    cacheUsage: read('cacheUsage'),
    promptTokens: read('promptTokens'),
    cachedTokens: read('cachedTokens'),
  };
  return Object.values(load).every((value) => value === null) ? null : load;
}

/**
 * Values by name and by the labels that tell other requests apart. Collectors write `sglang_` for `sglang:`. There are no
 * fewer than no requests, whatever a gauge says that was set back at the wrong moment.
 */
function readSamples(text: string): Map<string, Map<string, number>> {
  const samples = new Map<string, Map<string, number>>();
  for (const line of text.split('\n')) {
    const found = line.length > LINE_LENGTH_MAX ? null : SAMPLE.exec(line);
    if (!found) continue;
    const [, server = '', rest = '', labels = '', number] = found;
    const value = Math.max(0, Number(number));
    if (!Number.isFinite(value)) continue;
    const family = server === 'tgi' ? `tgi${rest}` : `${server}:${rest.slice(1)}`;
    if (OF_ALL_PRIORITIES.has(family) && OF_ONE_PRIORITY.test(labels)) continue;
    const reason = REASON.exec(labels)?.[1];
    const name = reason ? `${family}/${reason}` : family;
    const values = samples.get(name) ?? new Map<string, number>();
    samples.set(name, values);
    const engine = labels.replace(SAME_REQUESTS, '');
    values.set(engine, Math.max(value, values.get(engine) ?? 0));
  }
  return samples;
}

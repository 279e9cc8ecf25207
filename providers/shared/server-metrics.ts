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
    names: ['vllm:num_requests_waiting', 'sglang:num_queue_reqs', 'tgi_queue_size', 'llamacpp:requests_deferred'],
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

/** What a server's Prometheus text says of its load; null when it says nothing that is known. */
export function readServerLoad(text: string): ServerLoad | null {
  const samples = readSamples(text);
  const read = (key: keyof ServerLoad): number | null => {
    const { merge, names } = SAMPLES[key];
    for (const name of names) {
      const values = samples.get(name);
      if (values === undefined) continue;
      return merge === 'sum' ? values.reduce((sum, value) => sum + value, 0) : Math.max(...values);
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

/** Values by name, whatever their labels. Collectors write `sglang_` for `sglang:`. */
function readSamples(text: string): Map<string, number[]> {
  const samples = new Map<string, number[]>();
  for (const line of text.split('\n')) {
    const found = /^(vllm|sglang|tgi|llamacpp)([:_]\w+)(?:\{[^}]*\})? +(\S+)/.exec(line);
    if (!found) continue;
    const [, server = '', rest = '', number] = found;
    const value = Number(number);
    if (!Number.isFinite(value)) continue;
    const name = server === 'tgi' ? `tgi${rest}` : `${server}:${rest.slice(1)}`;
    const values = samples.get(name);
    if (values) values.push(value);
    else samples.set(name, [value]);
  }
  return samples;
}

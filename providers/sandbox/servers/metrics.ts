import type { Counters } from './counters.ts';
import type { Settings } from './settings.ts';

interface Sample {
  name: string;
  type: 'gauge' | 'counter';
  /** Extra labels and the value of each line. */
  lines: [labels: Record<string, string>, value: number][];
}

/** The Prometheus text of the chosen server, or null when it has none. */
export function metricsText(settings: Settings, counters: Counters): string | null {
  const model = settings.models[0] ?? '';
  switch (settings.metrics) {
    case 'none':
      return null;
    case 'vllm':
      return print(vllmSamples(settings, counters, 'vllm:kv_cache_usage_perc', 'vllm:prefix_cache'), {
        model_name: model,
      });
    case 'vllm_v0':
      return print(vllmSamples(settings, counters, 'vllm:gpu_cache_usage_perc', 'vllm:gpu_prefix_cache'), {
        model_name: model,
      });
    case 'sglang':
      return print(sglangSamples(settings, counters), { model_name: model });
    case 'tgi':
      return print(tgiSamples(counters), {});
    case 'llamacpp':
      return print(llamaSamples(settings, counters), {});
  }
}

function vllmSamples(settings: Settings, counters: Counters, kvName: string, prefixCache: string): Sample[] {
  const perEngine = (name: string, type: Sample['type'], total: number): Sample => ({
    name,
    type,
    lines: engineShares(settings.engines, total).map((value, engine) => [{ engine: String(engine) }, value]),
  });
  const kv = kvUsage(settings, counters);
  return [
    perEngine('vllm:num_requests_running', 'gauge', counters.running),
    perEngine('vllm:num_requests_waiting', 'gauge', counters.waiting),
    {
      name: kvName,
      type: 'gauge',
      lines: Array.from({ length: settings.engines }, (_, engine) => [{ engine: String(engine) }, kv]),
    },
    perEngine(`${prefixCache}_queries_total`, 'counter', counters.tokens_in),
    perEngine(`${prefixCache}_hits_total`, 'counter', counters.cached_tokens),
    perEngine('vllm:num_preemptions_total', 'counter', 0),
    perEngine('vllm:prompt_tokens_total', 'counter', counters.tokens_in),
    perEngine('vllm:generation_tokens_total', 'counter', counters.tokens_out),
    {
      name: 'vllm:request_success_total',
      type: 'counter',
      lines: ['stop', 'length', 'abort'].flatMap((reason) =>
        engineShares(settings.engines, counters.by_finish_reason.get(reason) ?? 0).map(
          (value, engine): [Record<string, string>, number] => [
            { engine: String(engine), finished_reason: reason },
            value,
          ],
        ),
      ),
    },
  ];
}

function sglangSamples(settings: Settings, counters: Counters): Sample[] {
  const { tokens_in: tokensIn, cached_tokens: cached } = counters;
  return [
    single('sglang:num_running_reqs', 'gauge', counters.running),
    single('sglang:num_queue_reqs', 'gauge', counters.waiting),
    single('sglang:token_usage', 'gauge', kvUsage(settings, counters)),
    single('sglang:cache_hit_rate', 'gauge', tokensIn === 0 ? 0 : cached / tokensIn),
    single('sglang:prompt_tokens_total', 'counter', tokensIn),
    single('sglang:generation_tokens_total', 'counter', counters.tokens_out),
    single('sglang:cached_tokens_total', 'counter', cached),
    single('sglang:num_requests_total', 'counter', counters.received),
    single('sglang:num_aborted_requests_total', 'counter', counters.client_aborts),
  ];
}

function tgiSamples(counters: Counters): Sample[] {
  return [
    single('tgi_queue_size', 'gauge', counters.waiting),
    single('tgi_batch_current_size', 'gauge', counters.running),
    single('tgi_request_count', 'counter', counters.received),
    single('tgi_request_success', 'counter', counters.by_status.get(200) ?? 0),
  ];
}

function llamaSamples(settings: Settings, counters: Counters): Sample[] {
  return [
    single('llamacpp:requests_processing', 'gauge', counters.running),
    single('llamacpp:requests_deferred', 'gauge', counters.waiting),
    single('llamacpp:kv_cache_usage_ratio', 'gauge', kvUsage(settings, counters)),
    single('llamacpp:prompt_tokens_total', 'counter', counters.tokens_in),
    single('llamacpp:tokens_predicted_total', 'counter', counters.tokens_out),
  ];
}

function single(name: string, type: Sample['type'], value: number): Sample {
  return { name, type, lines: [[{}, value]] };
}

function kvUsage(settings: Settings, counters: Counters): number {
  // Without slots there is no capacity to compare with; 256 is vLLM's usual max_num_seqs.
  return settings.kv_cache_usage ?? Math.min(1, counters.running / (settings.slots ?? 256));
}

/** Divides a total among engines so that the shares add up to it. */
function engineShares(engines: number, total: number): number[] {
  const share = Math.floor(total / engines);
  const extra = total % engines;
  return Array.from({ length: engines }, (_, engine) => share + (engine < extra ? 1 : 0));
}

function print(samples: Sample[], common: Record<string, string>): string {
  const lines: string[] = [];
  for (const sample of samples) {
    lines.push(`# TYPE ${sample.name} ${sample.type}`);
    for (const [labels, value] of sample.lines)
      lines.push(`${sample.name}${printLabels({ ...labels, ...common })} ${value}`);
  }
  return `${lines.join('\n')}\n`;
}

function printLabels(labels: Record<string, string>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

import { describe, expect, it } from 'vitest';
import { readServerLoad } from '../../providers/shared/server-metrics.ts';
import { withPriority } from '../../providers/vllm/convert.ts';

describe('a server’s own metrics', () => {
  it('sums the engines of vLLM and takes the fullest cache, under new and old names', () => {
    const text = `# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 12.0
vllm:num_requests_running{engine="1",model_name="m"} 3.0
vllm:num_requests_waiting{engine="0",model_name="m"} 1.0
vllm:num_requests_waiting{engine="1",model_name="m"} 4.0
vllm:gpu_cache_usage_perc{engine="0",model_name="m"} 0.25
vllm:gpu_cache_usage_perc{engine="1",model_name="m"} 0.75
vllm:prefix_cache_queries_total{engine="0"} 1e3
vllm:prefix_cache_hits_total{engine="0"} 250
`;
    const load = { running: 15, waiting: 5, cacheUsage: 0.75, promptTokens: 1000, cachedTokens: 250 };
    expect(readServerLoad(text)).toEqual(load);
    expect(readServerLoad(text.replaceAll('gpu_cache_usage', 'kv_cache_usage'))).toEqual(load);
  });

  it('reads SGLang, also as collectors rename it, TGI and llama.cpp', () => {
    expect(
      readServerLoad('sglang:num_running_reqs{tp="0"} 2\nsglang:num_queue_reqs 7\nsglang:token_usage 0.5'),
    ).toEqual({ running: 2, waiting: 7, cacheUsage: 0.5, promptTokens: null, cachedTokens: null });
    expect(readServerLoad('sglang_num_queue_reqs 7')).toMatchObject({ waiting: 7 });
    expect(readServerLoad('tgi_queue_size 3\ntgi_batch_current_size 9')).toMatchObject({ running: 9, waiting: 3 });
    expect(readServerLoad('llamacpp:requests_deferred 2')).toMatchObject({ running: null, waiting: 2 });
  });

  it('counts requests once that the ranks of one engine all count, and takes labels and numbers as they may be', () => {
    const text = [
      'sglang:num_running_reqs{model_name="a}b",tp_rank="0",pp_rank="0",dp_rank="0"} 2.0e+00',
      'sglang:num_running_reqs{model_name="a}b",tp_rank="1",pp_rank="0",dp_rank="0"}\t2 1764322000000',
      'sglang:num_running_reqs{model_name="a}b",tp_rank="2",dp_rank="1"} 5',
      'sglang:num_running_reqs{model_name="say \\"}\\" {"} 1',
      'sglang:num_queue_reqs{tp_rank="0"} -3',
      'sglang:num_queue_reqs{model_name="b"} +Inf',
      'sglang:num_queue_reqs{model_name="c"} NaN',
      'sglang:token_usage 1.0000001\r',
      `sglang:prompt_tokens_total{x="${'"'.repeat(1_000_000)}`,
    ].join('\n');
    expect(readServerLoad(text)).toEqual({
      running: 8,
      waiting: 0,
      cacheUsage: 1,
      promptTokens: null,
      cachedTokens: null,
    });
  });

  it('counts what SGLang counts of each priority once', () => {
    const text = ['', '-9223372036854775808', '0', '10'].flatMap((priority, index) => [
      `sglang:num_running_reqs{engine_type="unified",model_name="m",priority="${priority}",tp_rank="0"} ${[14, 0, 9, 5][index]}.0`,
      `sglang:num_queue_reqs{model_name="m",pp_rank="0",priority="${priority}",tp_rank="0"} ${[6, 0, 4, 2][index]}.0`,
    ]);
    const tokens = ['0', '10'].map(
      (priority) => `sglang:prompt_tokens_total{model_name="m",priority="${priority}"} 50`,
    );
    expect(readServerLoad([...text, ...tokens].join('\n'))).toMatchObject({
      running: 14,
      waiting: 6,
      promptTokens: 100,
    });
  });

  it('takes for waiting what waits for room, where vLLM tells that from what waits for something else', () => {
    const text = `vllm:num_requests_waiting{engine="0",model_name="m"} 12.0
vllm:num_requests_waiting{engine="1",model_name="m"} 5.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="m",reason="capacity"} 1.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="m",reason="deferred"} 11.0
vllm:num_requests_waiting_by_reason{engine="1",model_name="m",reason="capacity"} 2.0
vllm:num_requests_waiting_by_reason{engine="1",model_name="m",reason="deferred"} 3.0
`;
    expect(readServerLoad(text)).toMatchObject({ waiting: 3 });
  });

  it('is nothing where there is nothing to read: a page of HTML, JSON, other metrics, not a number', () => {
    for (const text of ['', '<html>vllm:</html>', '[{"numActiveRequests":3}]', 'up 1', 'vllm:num_requests_running NaN'])
      expect(readServerLoad(text)).toBeNull();
  });
});

describe('the priority of batch lines', () => {
  it('is put before what the body says, unless it states one', () => {
    expect(JSON.parse(withPriority('{"model":"m"}', 10))).toEqual({ priority: 10, model: 'm' });
    expect(JSON.parse(withPriority('{ }', 10))).toEqual({ priority: 10 });
    expect(withPriority('{"model":"m","priority":0}', 10)).toBe('{"model":"m","priority":0}');
    const said = '{"messages":[{"content":"\\"priority\\" \\"priority\\""}]}';
    expect(JSON.parse(withPriority(said, 5))).toMatchObject({ priority: 5 });
    expect(JSON.parse(withPriority('{"messages":[{"priority":"x"}]}', 5))).toMatchObject({ priority: 5 });
  });
});

import { describe, expect, it, onTestFinished } from 'vitest';
import type { BatchServerOptions } from '../../../providers/sandbox/servers/openai-batch.ts';
import { describeBatchApi } from '../../contract/provider-batch.ts';
import type { BatchFaults } from '../../contract/provider-batch-setup.ts';
import { Bench, failureOf } from '../../contract/provider-batch-setup.ts';
import { createProvider } from '../kinds.ts';
import { startBatchSubject } from '../openai/batch-subject.ts';

const secret = 'canary-compatible-0123456789';

function start(entry: object, server: BatchServerOptions = {}, without: readonly (keyof BatchFaults)[] = []) {
  return startBatchSubject({
    server,
    secret,
    model: 'llama-3.3-70b',
    create: ({ url }) => createProvider('openai-compatible', { base_url: url, api_key: secret, ...entry }),
    without,
  });
}

describeBatchApi('openai-compatible with a plain base URL', () => start({ batch: true }));
describeBatchApi('openai-compatible: groq', () => start({ preset: 'groq' }));
describeBatchApi('openai-compatible: doubleword', () => start({ preset: 'doubleword' }));
describeBatchApi('openai-compatible: weir', () => start({ preset: 'weir' }));
// Neither tells which line its validation refused.
describeBatchApi('openai-compatible: together', () =>
  start({ preset: 'together' }, { flavour: 'together', file_ms: 20 }, ['refuseSecondLine']),
);
describeBatchApi('openai-compatible: mistral', () =>
  start({ preset: 'mistral' }, { flavour: 'mistral' }, ['refuseSecondLine']),
);

describe('batches of services with OpenAI’s dialect', () => {
  const request = { endpoint: '/v1/chat/completions', model: 'm', body: '{"model":"m","messages":[]}' } as const;

  it('are there for presets that have them, and where the config says so', () => {
    const at = { base_url: 'https://llm.example.com/v1', api_key: secret };
    expect(createProvider('openai-compatible', at).batch).toBeUndefined();
    expect(createProvider('openai-compatible', { ...at, batch: true }).batch).toBeDefined();
    expect(createProvider('openai-compatible', { ...at, batch: { dialect: 'mistral' } }).batch?.limits.lines).toBe(
      1_000_000,
    );
    for (const preset of ['groq', 'together', 'mistral', 'doubleword']) {
      expect(createProvider('openai-compatible', { preset, api_key: secret }).batch, preset).toBeDefined();
      expect(
        createProvider('openai-compatible', { preset, api_key: secret, batch: false }).batch,
        preset,
      ).toBeUndefined();
    }
    for (const preset of ['deepseek', 'xai', 'openrouter']) {
      expect(createProvider('openai-compatible', { preset, api_key: secret }).batch, preset).toBeUndefined();
    }
    expect(() => createProvider('openai-compatible', { preset: 'weir', api_key: secret })).toThrow('give a base_url');
  });

  it('write lines with or without method and url', () => {
    const mistral = createProvider('openai-compatible', { preset: 'mistral', api_key: secret });
    expect(mistral.batch?.line('k', request)).toBe('{"custom_id":"k","body":{"model":"m","messages":[]}}');
    const groq = createProvider('openai-compatible', { preset: 'groq', api_key: secret });
    expect(groq.batch?.line('k', request)).toBe(
      '{"custom_id":"k","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[]}}',
    );
  });

  it('refuse windows and endpoints that the service does not have, before anything is sent', async () => {
    const bench = new Bench(await start({ preset: 'groq' }));
    onTestFinished(() => bench.close());
    const input = { ...bench.input(), options: { completion_window: '1h' } };
    expect(await failureOf(bench.api.submit(input, bench.call()))).toMatchObject({
      kind: 'invalid_request',
      param: 'completion_window',
      reachedProvider: false,
    });
    const embeddings = { ...bench.input(), endpoint: '/v1/embeddings' } as const;
    expect((await failureOf(bench.api.submit(embeddings, bench.call()))).kind).toBe('unsupported');
    expect(bench.simulator.held()).toEqual({ created: 0, live: 0, files: 0 });
  });
});

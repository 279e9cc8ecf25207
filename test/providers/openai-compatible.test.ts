import { describe, expect, it } from 'vitest';
import { presetNames, presets } from '../../providers/openai-compatible/presets.ts';
import { describeProvider } from './conformance.ts';
import { createProvider, problemsOf, startOver } from './kinds.ts';

const secret = 'gsk_canary_compatible';

function at(url: string) {
  return createProvider('openai-compatible', { base_url: `${url}/v1`, api_key: secret });
}

function atPreset(url: string) {
  return createProvider('openai-compatible', { preset: 'mistral', base_url: `${url}/v1`, api_key: secret });
}

describeProvider({
  kind: 'openai-compatible',
  model: 'llama-3.1-8b-instant',
  secret,
  start: (options) => startOver(options, secret, at),
  at,
});

describeProvider({
  kind: 'openai-compatible with a preset',
  model: 'mistral-small-latest',
  secret,
  start: (options) => startOver(options, secret, atPreset),
  at: atPreset,
});

describe('a service known by preset', () => {
  it.each(presetNames)('%s has an address, endpoints and prices', (name) => {
    const preset = presets[name];
    const own = preset.baseUrl === null ? { base_url: 'https://weir.example.com/v1' } : {};
    const provider = createProvider('openai-compatible', { preset: name, api_key: secret, ...own });
    expect(provider.immediate?.members).toEqual([preset.baseUrl ?? own.base_url]);
    expect(provider.endpoints).toContain('/v1/chat/completions');
    expect(provider.priceProvider).toBe(preset.priceProvider);
  });

  it('has its quirks applied', () => {
    const provider = createProvider('openai-compatible', { preset: 'mistral', api_key: secret });
    const body = { messages: [], seed: 7, max_completion_tokens: 5, user: 'u', store: false };
    const line = { customId: 'r', endpoint: '/v1/chat/completions', body } as const;
    const converted = provider.convert(line, 'm');
    expect(converted.ok && JSON.parse(converted.request.body)).toEqual({
      model: 'm',
      messages: [],
      random_seed: 7,
      max_tokens: 5,
    });
    expect(converted.ok && converted.warnings).toHaveLength(2);
    const biased = provider.convert({ ...line, body: { ...body, logit_bias: { 1: 5 } } }, 'm');
    expect(biased).toMatchObject({ ok: false, failure: { kind: 'unsupported', param: 'logit_bias' } });
  });

  it('needs what the service needs', () => {
    expect(problemsOf('openai-compatible', {})).toEqual([
      expect.stringContaining('give a base_url, or a preset: groq'),
    ]);
    expect(problemsOf('openai-compatible', { preset: 'groq' })).toEqual(['api_key: groq needs one']);
    expect(problemsOf('openai-compatible', { preset: 'ollama' })).toEqual([]);
    expect(problemsOf('openai-compatible', { preset: 'nobody' })).toEqual([expect.stringContaining('preset')]);
    const open = { base_url: 'http://api.example.com/v1' };
    expect(problemsOf('openai-compatible', open)).toEqual([expect.stringContaining('https')]);
    expect(problemsOf('openai-compatible', { ...open, allow_http: true })).toEqual([]);
  });
});

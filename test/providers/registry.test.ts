import { describe, expect, it } from 'vitest';
import { priceFiles } from '../../config/prices/index.ts';
import { presetNames } from '../../providers/openai-compatible/presets.ts';
import { kinds } from '../../providers/registry.ts';
import { createProvider } from './kinds.ts';

const examples: Record<string, object> = {
  vllm: { base_urls: ['http://pool/v1'] },
  openai: { api_key: 'k' },
  azure: { endpoint: 'https://x.openai.azure.com', api_key: 'k', deployments: { 'gpt-4o-mini': 'd' } },
  'openai-compatible': { base_url: 'https://llm.example.com/v1' },
  bedrock: { region: 'us-east-1' },
  anthropic: { api_key: 'k' },
  vertex: { project: 'my-project' },
  sandbox: {},
};

describe('the registry of provider kinds', () => {
  it.each([...kinds.keys()])('makes a provider of kind %s that keeps the contract', (kind) => {
    const provider = createProvider(kind, examples[kind] ?? {}, 'my-provider');
    expect(provider).toMatchObject({ name: 'my-provider', kind });
    expect(provider.immediate?.members.length).toBeGreaterThan(0);
    expect(provider.limits).toEqual({ concurrency: null, requestsPerMinute: null, tokensPerMinute: null });
  });

  it('names only price files that exist', () => {
    const priced = priceFiles.map((file) => (file as { provider: string }).provider);
    const named = [
      ...Object.entries(examples).map(([kind, entry]) => createProvider(kind, entry)),
      ...presetNames.map((preset) =>
        createProvider('openai-compatible', { preset, api_key: 'k', base_url: 'https://x.example.com' }),
      ),
    ].map(({ priceProvider }) => priceProvider);
    expect(new Set(named)).toContain('openai');
    for (const id of named) if (id !== null) expect(priced).toContain(id);
  });
});

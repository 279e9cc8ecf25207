import { describe, expect, it } from 'vitest';
import type { Converted } from '../../../providers/contract.ts';
import { createProvider } from '../kinds.ts';

const nova = 'us.amazon.nova-lite-v1:0';
const arn = 'arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcdef123456';
const provider = createProvider('bedrock', { region: 'us-east-1', profiles: { [arn]: 'amazon.nova-pro-v1:0' } });
const user = [{ role: 'user', content: 'Hello' }];

function convert(
  body: object,
  model = nova,
  endpoint: '/v1/chat/completions' | '/v1/embeddings' = '/v1/chat/completions',
): Converted {
  return provider.convert({ customId: 'r', endpoint, body: body as Record<string, unknown> }, model);
}

function native(body: object, model = nova): Record<string, unknown> {
  const converted = convert(body, model);
  if (!converted.ok) throw new Error(converted.failure.message);
  return JSON.parse(converted.request.body) as Record<string, unknown>;
}

function refused(body: object, model = nova) {
  const converted = convert(body, model);
  if (converted.ok) throw new Error(`taken as ${converted.request.body}`);
  expect(converted.failure.reachedProvider).toBe(false);
  return converted.failure;
}

describe('models of Bedrock', () => {
  it.each([
    ['amazon.nova-lite-v1:0', 'amazon.nova-lite-v1:0'],
    ['eu.amazon.nova-lite-v1:0', 'amazon.nova-lite-v1:0'],
    ['apac.amazon.nova-lite-v1:0', 'amazon.nova-lite-v1:0'],
    ['global.anthropic.claude-sonnet-4-5-20250929-v1:0', 'global.anthropic.claude-sonnet-4-5-20250929-v1:0'],
    ['arn:aws:bedrock:us-east-1::foundation-model/meta.llama3-3-70b-instruct-v1:0', 'meta.llama3-3-70b-instruct-v1:0'],
    [
      'arn:aws-us-gov:bedrock:us-gov-west-1:123456789012:inference-profile/us.amazon.nova-pro-v1:0',
      'amazon.nova-pro-v1:0',
    ],
    ['arn:aws:bedrock:us-east-1:123456789012:custom-model/amazon.nova-lite-v1:0/abcdefabcdef', 'amazon.nova-lite-v1:0'],
    [arn, 'amazon.nova-pro-v1:0'],
  ])('knows %s and prices it as %s', (model, priced) => {
    expect(convert({ messages: user }, model).ok).toBe(true);
    expect(provider.pricedModel?.(model)).toBe(priced);
  });

  it.each([
    'amazon.nova-canvas-v1:0',
    'constructor.amazon.nova-lite-v1:0',
    'nova',
    'arn:aws:bedrock:us-east-1:1:application-inference-profile/other',
    '__proto__',
  ])('refuses %s by name, as its family is unknown', (model) => {
    expect(refused({ messages: user }, model)).toMatchObject({
      kind: 'unsupported',
      param: 'model',
      code: 'unknown_model_family',
    });
  });

  it('does not chat with embedding models, nor embed with chat models', () => {
    expect(refused({ messages: user }, 'cohere.embed-v4:0')).toMatchObject({
      param: 'url',
      code: 'endpoint_not_supported',
    });
    expect(convert({ input: 'a' }, nova, '/v1/embeddings')).toMatchObject({ ok: false, failure: { param: 'url' } });
  });
});

describe('responses and completions', () => {
  it.each(['us.amazon.nova-lite-v1:0', 'us.anthropic.claude-haiku-4-5-20251001-v1:0'])(
    'are asked as chat of %s',
    (model) => {
      const asked = [
        { endpoint: '/v1/responses', body: { input: 'Hello', max_output_tokens: 9 } },
        { endpoint: '/v1/completions', body: { prompt: 'Hello', max_tokens: 9 } },
      ] as const;
      for (const { endpoint, body } of asked) {
        const converted = provider.convert({ customId: 'r', endpoint, body }, model);
        if (!converted.ok) throw new Error(converted.failure.message);
        expect(converted.request.endpoint).toBe(endpoint);
        expect(JSON.parse(converted.request.body)).toEqual(native({ messages: user, max_tokens: 9 }, model));
      }
    },
  );

  it('are refused in their own words', () => {
    const body = { input: 'Hello', text: { format: { type: 'json_object' } } };
    const converted = provider.convert({ customId: 'r', endpoint: '/v1/responses', body }, nova);
    expect(converted).toMatchObject({ ok: false, failure: { param: 'text.format' } });
  });

  it('name no credentials or addresses of their own', () => {
    for (const model of [nova, 'us.anthropic.claude-haiku-4-5-20251001-v1:0']) {
      expect(refused({ messages: user, api_key: 'k' }, model)).toMatchObject({
        code: 'forbidden_parameter',
        param: 'api_key',
      });
    }
  });
});

describe('chat as Anthropic Messages', () => {
  const claude = 'us.anthropic.claude-haiku-4-5-20251001-v1:0';

  it('has the version, no model, and a default for max_tokens', () => {
    expect(native({ messages: [{ role: 'system', content: 'Be brief.' }, ...user] }, claude)).toEqual({
      anthropic_version: 'bedrock-2023-05-31',
      max_tokens: 4096,
      system: 'Be brief.',
      messages: [{ role: 'user', content: 'Hello' }],
    });
  });

  it('refuses addresses of images, which Bedrock does not fetch', () => {
    const messages = [
      { role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://example.com/a.png' } }] },
    ];
    expect(refused({ messages }, claude).kind).toBe('unsupported');
  });
});

describe('embeddings', () => {
  function embedding(body: object, model: string): unknown {
    const converted = convert(body, model, '/v1/embeddings');
    return converted.ok ? JSON.parse(converted.request.body) : converted.failure.param;
  }

  it('are asked in the form of Titan, one text at a time, or of Cohere, 96 at a time', () => {
    expect(embedding({ input: ['a', 'b'], dimensions: 256 }, 'amazon.titan-embed-text-v2:0')).toEqual({
      inputs: [
        { inputText: 'a', dimensions: 256 },
        { inputText: 'b', dimensions: 256 },
      ],
      encoding: 'float',
    });
    expect(embedding({ input: 'a', encoding_format: 'base64' }, 'amazon.titan-embed-text-v1')).toEqual({
      inputs: [{ inputText: 'a' }],
      encoding: 'base64',
    });
    const texts = Array.from({ length: 97 }, (_none, index) => `t${index}`);
    expect(embedding({ input: texts, dimensions: 512 }, 'us.cohere.embed-v4:0')).toMatchObject({
      inputs: [
        { texts: texts.slice(0, 96), input_type: 'search_document', embedding_types: ['float'], output_dimension: 512 },
        { texts: ['t96'] },
      ],
    });
    expect(embedding({ input: 'a', input_type: 'search_query' }, 'cohere.embed-english-v3')).toMatchObject({
      inputs: [{ input_type: 'search_query' }],
    });
  });

  it.each([
    [{ input: [1, 2] }, 'input'],
    [{ input: [] }, 'input'],
    [{ input: '' }, 'input'],
    [{ input: 'a', dimensions: 100 }, 'dimensions'],
    [{ input: 'a', encoding_format: 'hex' }, 'encoding_format'],
    [{ input: 'a', other: 1 }, 'other'],
  ])('refuse %j by name at Titan', (body, param) => {
    expect(embedding(body, 'amazon.titan-embed-text-v2:0')).toBe(param);
  });
});

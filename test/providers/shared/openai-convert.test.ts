import { describe, expect, it } from 'vitest';
import { selfHostedParameters } from '../../../providers/shared/foreign-parameters.ts';
import { type ConvertRules, convertToOpenAI } from '../../../providers/shared/openai-convert.ts';
import { ENDPOINTS } from '../../../src/protocol/endpoint.ts';

const open: ConvertRules = { provider: 'pool', endpoints: ENDPOINTS, refused: new Set() };
const hosted: ConvertRules = {
  ...open,
  provider: 'openai',
  refused: selfHostedParameters,
  serviceTiers: ['auto', 'default'],
};

function convert(body: object, rules = open, model = 'm') {
  return convertToOpenAI(
    { customId: 'r', endpoint: '/v1/chat/completions', body: body as Record<string, unknown> },
    model,
    rules,
  );
}

function sent(body: object, rules = open): unknown {
  const converted = convert(body, rules);
  if (!converted.ok) throw new Error(converted.failure.message);
  return JSON.parse(converted.request.body);
}

function refused(body: object, rules = open) {
  const converted = convert(body, rules);
  if (converted.ok) throw new Error('was not refused');
  return converted.failure;
}

describe('a line for a provider that speaks the shape of OpenAI', () => {
  it('gets the model of the target and keeps everything else', () => {
    const body = {
      model: 'alias',
      messages: [{ role: 'user', content: 'ü\u2028' }],
      temperature: 0,
      tools: [],
      seed: null,
    };
    expect(sent(body)).toEqual({ ...body, model: 'm' });
    expect(sent({ messages: [] })).toEqual({ model: 'm', messages: [] });
  });

  it('never streams, and says so when streaming was asked for', () => {
    const converted = convert({ stream: true, stream_options: { include_usage: true } });
    expect(converted).toMatchObject({ ok: true, request: { body: '{"model":"m"}' } });
    expect(converted.ok && converted.warnings).toEqual([
      'stream was left out: a batch answers each request as a whole',
    ]);
    expect(convert({ stream: false })).toMatchObject({ warnings: [], request: { body: '{"model":"m"}' } });
  });

  it.each([
    'api_base',
    'base_url',
    'api_key',
    'extra_headers',
    'provider',
    'custom_llm_provider',
    'headers',
    'extra_body',
  ])('is refused when it brings its own %s', (name) => {
    const failure = refused({ [name]: 'http://169.254.169.254' });
    expect(failure).toMatchObject({
      kind: 'invalid_request',
      code: 'forbidden_parameter',
      param: name,
      reachedProvider: false,
    });
    expect(failure.message).toContain(`'${name}'`);
    expect(failure.message).not.toContain('169.254');
  });

  it('keeps a member named __proto__ a plain member', () => {
    const body = JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":1},"n":1}') as object;
    const converted = convert(body);
    expect(converted.ok && converted.request.body).toBe(
      '{"model":"m","__proto__":{"polluted":true},"constructor":{"prototype":1},"n":1}',
    );
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it.each(['top_k', 'min_p', 'repetition_penalty', 'guided_json', 'structured_outputs', 'chat_template_kwargs'])(
    'is refused by name when a hosted service would not know %s',
    (name) => {
      const failure = refused({ [name]: 5 }, hosted);
      expect(failure).toMatchObject({ kind: 'unsupported', code: 'unsupported_parameter', param: name });
      expect(failure.message).toContain('drop_params');
      expect(sent({ [name]: 5 })).toEqual({ model: 'm', [name]: 5 });
      expect(sent({ [name]: null }, hosted)).toEqual({ model: 'm' });
    },
  );

  it('may ask for a service tier only where its price is known', () => {
    expect(refused({ service_tier: 'flex' }, hosted)).toMatchObject({ kind: 'unsupported', param: 'service_tier' });
    expect(sent({ service_tier: 'default' }, hosted)).toEqual({ model: 'm', service_tier: 'default' });
    expect(sent({ service_tier: 'flex' })).toEqual({ model: 'm', service_tier: 'flex' });
  });

  it('may not ask for an answer in the background', () => {
    expect(refused({ background: true })).toMatchObject({ kind: 'unsupported', param: 'background' });
    expect(sent({ background: false })).toEqual({ model: 'm' });
  });

  it('is refused on an endpoint that the provider lacks', () => {
    const rules: ConvertRules = { ...open, endpoints: ['/v1/embeddings'] };
    expect(refused({}, rules)).toMatchObject({ kind: 'unsupported', code: 'endpoint_not_supported' });
  });

  it('loses what the provider ignores with a warning, and has renamed what it calls otherwise', () => {
    const rules: ConvertRules = {
      ...open,
      ignored: new Set(['user']),
      renamed: new Map([['seed', 'random_seed']]),
      refused: new Set(['n']),
    };
    const converted = convert({ user: 'u', seed: 7, n: 1 }, rules);
    expect(converted).toMatchObject({ ok: true, request: { body: '{"model":"m","random_seed":7}' } });
    expect(converted.ok && converted.warnings).toEqual(['user was left out: pool does not know it']);
    expect(refused({ n: 2 }, rules)).toMatchObject({ param: 'n' });
  });
});

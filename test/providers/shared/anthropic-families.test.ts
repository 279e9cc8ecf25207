import { describe, expect, it } from 'vitest';
import { toMessages } from '../../../providers/shared/anthropic-messages.ts';
import { familyOfModel } from '../../../providers/shared/anthropic-messages-families.ts';
import type { MessagesOptions } from '../../../providers/shared/anthropic-messages-mapping.ts';
import { map, options, refusedBy, user, weather } from './anthropic-mapping.ts';

const limitWarning = expect.stringContaining('max_tokens was set to');

describe('limits and families', () => {
  it('sets the limit that Anthropic demands and the request lacks', () => {
    const asked = { messages: [user] };
    const at = (family: string, changes?: Partial<MessagesOptions>) => toMessages(asked, options(family, changes));
    expect(at('claude-sonnet-4-5')).toMatchObject({ body: { max_tokens: 32_000 }, warnings: [limitWarning] });
    expect(at('claude-3-haiku')).toMatchObject({ body: { max_tokens: 4096 }, warnings: [limitWarning] });
    expect(at('claude-opus-5-5', { defaultMaxTokens: 500 })).toMatchObject({ body: { max_tokens: 500 } });
    const { body, warnings } = map({ max_tokens: 1e9 }, 'claude-opus-4-6');
    expect(body.max_tokens).toBe(128_000);
    expect(warnings).toEqual([expect.stringContaining('lowered')]);
  });

  it.each([
    ['claude-sonnet-4-5-20250929', 'claude-sonnet-4-5'],
    ['us.anthropic.claude-sonnet-4-5-20250929-v1:0', 'claude-sonnet-4-5'],
    ['anthropic.claude-3-haiku-20240307-v1:0:200k', 'claude-3-haiku'],
    ['global.anthropic.claude-opus-4-6-v1', 'claude-opus-4-6'],
    ['claude-3-5-sonnet-v2@20241022', 'claude-3-5-sonnet'],
    ['claude-3-5-haiku-latest', 'claude-3-5-haiku'],
    ['claude-opus-4-20250514', 'claude-opus-4'],
    ['claude-4-sonnet-20250514', 'claude-sonnet-4'],
    ['claude-opus-9', undefined],
    ['my-claude-sonnet-4-5', undefined],
    ['constructor', undefined],
  ])('reads the family of %s', (model, family) => {
    expect(familyOfModel(model)?.name).toBe(family);
  });

  it('takes of sampling what the family takes', () => {
    expect(map({ temperature: 0.5, top_p: 0.5 }, 'claude-3-haiku').body).toMatchObject({
      temperature: 0.5,
      top_p: 0.5,
    });
    expect(map({ temperature: 1, top_p: 0.995 }, 'claude-opus-5').body).not.toHaveProperty('temperature');
    expect(refusedBy({ temperature: 0 }, 'claude-opus-5')).toBe('temperature');
    expect(refusedBy({ top_k: 5 }, 'claude-opus-5')).toBe('top_k');
  });

  it('refuses what newer families have given up', () => {
    const prefill = { messages: [user, { role: 'assistant', content: '{ ' }] };
    const { body, warnings } = map(prefill);
    expect(body.messages).toEqual([user, { role: 'assistant', content: '{' }]);
    expect(warnings).toEqual([expect.stringContaining('continues it')]);
    expect(refusedBy(prefill, 'claude-opus-4-6')).toBe('messages');
    expect(refusedBy({ tools: [weather], tool_choice: 'required' }, 'claude-opus-5-5')).toBe('tool_choice');
  });

  it('asks older families for a schema through a forced tool', () => {
    const schema = { type: 'object', properties: { a: { type: 'string' } } };
    const asked = { response_format: { type: 'json_schema', json_schema: { name: 'n', schema } } };
    const { body, warnings } = map(asked, 'claude-3-haiku');
    expect(body).toMatchObject({
      tools: [{ name: 'weir_structured_answer', input_schema: schema }],
      tool_choice: { type: 'tool', name: 'weir_structured_answer' },
    });
    expect(warnings).toEqual([expect.stringContaining('response_format')]);
    expect(refusedBy({ ...asked, tools: [weather] }, 'claude-3-haiku')).toBe('response_format');
  });

  it('asks for reasoning as the family knows it', () => {
    const ask = (effort: string, family: string, limit = 20_000) =>
      map({ reasoning_effort: effort, max_tokens: limit }, family);
    expect(ask('medium', 'claude-sonnet-4-5').body.thinking).toEqual({ type: 'enabled', budget_tokens: 8192 });
    expect(ask('high', 'claude-sonnet-4-5', 2000).body.thinking).toEqual({ type: 'enabled', budget_tokens: 1600 });
    expect(ask('low', 'claude-opus-4-6').body).toMatchObject({
      thinking: { type: 'adaptive' },
      output_config: { effort: 'low' },
    });
    expect(ask('xhigh', 'claude-opus-4-6').warnings).toEqual([expect.stringContaining('sent as high')]);
    expect(ask('xhigh', 'claude-opus-5').body.output_config).toEqual({ effort: 'xhigh' });
    expect(ask('minimal', 'claude-opus-5').body.output_config).toEqual({ effort: 'low' });
    expect(ask('none', 'claude-opus-5').body.thinking).toEqual({ type: 'disabled' });
    expect(ask('none', 'claude-3-haiku', 100).body).not.toHaveProperty('thinking');
    expect(refusedBy({ reasoning_effort: 'none' }, 'claude-fable-5')).toBe('reasoning_effort');
    expect(refusedBy({ reasoning_effort: 'low' }, 'claude-3-haiku')).toBe('reasoning_effort');
    expect(refusedBy({ reasoning_effort: 'low', max_tokens: 1000 })).toBe('reasoning_effort');
    expect(refusedBy({ reasoning_effort: 'loud' })).toBe('reasoning_effort');
    const long = { reasoning_effort: 'low', max_tokens: 5000 };
    expect(refusedBy({ ...long, temperature: 0.5 })).toBe('temperature');
    expect(refusedBy({ ...long, tools: [weather], tool_choice: 'required' })).toBe('tool_choice');
    const own = { thinking: { type: 'enabled', budget_tokens: 1024 }, max_tokens: 5000 };
    expect(map(own).body).toMatchObject(own);
  });

  it('refuses what the service itself does not take', () => {
    expect(refusedBy({ tools: [weather] }, undefined, { refused: new Set(['tools']) })).toBe('tools');
  });
});

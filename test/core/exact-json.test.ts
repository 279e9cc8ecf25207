import { describe, expect, it } from 'vitest';
import { parseText } from '../../providers/shared/answer.ts';
import { fromMessage } from '../../providers/shared/anthropic-messages-answer.ts';
import { resultOfGemini } from '../../providers/vertex/results.ts';
import { exactJson, parseExact } from '../../src/core/exact-json.ts';
import { FrameReader } from '../../src/core/request-frame.ts';
import { parseRequestLine } from '../../src/core/validate-input.ts';

describe('parseExact', () => {
  it.each([
    '{"id":12345678901234567890,"of":[-9007199254740993,{"x":100000000000000000000000}]}',
    '{"__proto__":{"a":18446744073709551615},"b":1e+300,"c":9007199254740991}',
    '[9007199254740993,"9007199254740993",1.5]',
    '9007199254740993',
  ])('keeps every digit of %s', (text) => {
    expect(JSON.stringify(parseExact(text))).toBe(text);
  });

  it('is JSON.parse for all that a double holds', () => {
    for (const text of ['{"a":[1,2.50,-0,1e3,9007199254740992,null,"x"]}', '1e400']) {
      expect(parseExact(text)).toEqual(JSON.parse(text));
    }
    expect(parseExact(`${'['.repeat(5_000)}${']'.repeat(5_000)}`)).toHaveLength(1);
    expect(() => parseExact('{')).toThrow(SyntaxError);
  });

  it('leaves numbers that are counted with', () => {
    expect(parseExact('{"max_tokens":12345678901234567001,"n":9007199254740993}')).toEqual({
      max_tokens: 12345678901234567000,
      n: 9007199254740992,
    });
  });

  it('reads lines of both kinds', () => {
    const bytes = Buffer.from(
      '{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"m","seed":9007199254740993,"messages":[{"role":"user","content":"Hi"}]}}',
    );
    const reader = new FrameReader();
    const framed = reader.read(bytes);
    expect(framed.frame).toBeDefined();
    for (const { body } of [parseRequestLine(bytes), framed]) {
      expect(JSON.stringify(body)).toContain('"seed":9007199254740993,');
    }
  });
});

describe('arguments that a model gives a tool', () => {
  const args = '{"id":12345678901234567890}';
  const argumentsIn = (body: string): unknown => JSON.parse(body).choices[0].message.tool_calls[0].function.arguments;
  const context = { provider: 'p', secrets: [], nowMs: 0, requestId: null, model: 'm' };

  it('have all their digits when Claude gave them', () => {
    const content = `[{"type":"tool_use","id":"t","name":"f","input":${args}}]`;
    const text = `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":${content},"stop_reason":"tool_use","usage":{"input_tokens":1,"output_tokens":1}}`;
    const result = fromMessage(parseText(text).json, context);
    expect(result.ok && argumentsIn(result.body)).toBe(args);
  });

  it('have all their digits when Gemini gave them', () => {
    const parts = `[{"functionCall":{"name":"f","args":${args}}}]`;
    const text = `{"candidates":[{"content":{"role":"model","parts":${parts}},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":1}}`;
    const result = resultOfGemini(parseText(text).json, context);
    expect(result.ok && argumentsIn(result.body)).toBe(args);
  });
});

it('exactJson writes a bigint as an integer', () => {
  expect(exactJson({ a: 2n ** 70n })).toBe('{"a":1180591620717411303424}');
});

import { describe, expect, it } from 'vitest';
import { answerFormOf, hasForm } from '../../../src/core/eval/answer-form.ts';

const schema = { type: 'object', properties: { n: { type: 'number' } }, required: ['n'] };

describe('the form that requests ask for', () => {
  it('is read from chat completions and from responses', () => {
    expect(answerFormOf({})).toBeNull();
    expect(answerFormOf({ response_format: { type: 'text' } })).toBeNull();
    expect(answerFormOf({ response_format: { type: 'json_object' } })).toEqual({ schema: null });
    const json_schema = { name: 'n', schema };
    expect(answerFormOf({ response_format: { type: 'json_schema', json_schema } })).toEqual({ schema });
    expect(answerFormOf({ text: { format: { type: 'json_schema', name: 'n', schema } } })).toEqual({ schema });
    expect(answerFormOf({ response_format: 7, text: 'x' })).toBeNull();
  });

  it('is that of an answer which fits it', () => {
    expect(hasForm({ schema: null }, {})).toBe(true);
    expect(hasForm({ schema: null }, [1])).toBe(false);
    expect(hasForm({ schema: null }, undefined)).toBe(false);
    expect(hasForm({ schema }, { n: 1 })).toBe(true);
    expect(hasForm({ schema }, { n: 'one' })).toBe(false);
  });
});

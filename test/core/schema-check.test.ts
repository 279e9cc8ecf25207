import { describe, expect, it } from 'vitest';
import { schemaProblem } from '../../src/core/schema-check.ts';

describe('schemaProblem', () => {
  it('names the place and what is wrong there', () => {
    const schema = {
      type: 'object',
      properties: { items: { type: 'array', items: { $ref: '#/$defs/item' } } },
      required: ['items'],
      additionalProperties: false,
      $defs: { item: { type: 'object', properties: { price: { type: ['number', 'null'] } }, required: ['price'] } },
    };
    expect(schemaProblem(schema, { items: [{ price: 1 }, { price: null }] })).toBeNull();
    expect(schemaProblem(schema, { items: [{ price: 'free' }] })).toContain('items/0/price');
    expect(schemaProblem(schema, {})).toContain('items');
    expect(schemaProblem(schema, { items: [], more: 1 })).not.toBeNull();
  });

  it('reads properties that are named as keywords, and leaves data alone', () => {
    const schema = { properties: { pattern: { type: 'string' }, format: { const: { pattern: 'x', format: 'y' } } } };
    expect(schemaProblem(schema, { pattern: 'a', format: { pattern: 'x', format: 'y' } })).toBeNull();
    expect(schemaProblem(schema, { pattern: 1 })).not.toBeNull();
    expect(schemaProblem(schema, { format: { pattern: 'z', format: 'y' } })).not.toBeNull();
  });

  it('says nothing by a schema that is none', () => {
    for (const schema of [{ $ref: '#/nowhere' }, { allOf: 'x' }, { properties: null }]) {
      expect(schemaProblem(schema as Record<string, unknown>, {})).toBeNull();
    }
    let deep: Record<string, unknown> = { type: 'string' };
    for (let level = 0; level < 5_000; level++) deep = { not: deep };
    expect(() => schemaProblem(deep, 'x')).not.toThrow();
  });

  it('is not held up by a user’s regular expression, nor by a schema that doubles its work at each level', () => {
    const began = performance.now();
    const regex = { properties: { a: { pattern: '^(a+)+$' } }, patternProperties: { '^(a+)+$': { type: 'null' } } };
    expect(schemaProblem(regex, { a: `${'a'.repeat(40)}!`, [`${'a'.repeat(40)}!`]: 1 })).toBeNull();
    const $defs: Record<string, object> = { d0: { type: 'string' } };
    for (let level = 1; level < 60; level++) {
      const below = { $ref: `#/$defs/d${level - 1}` };
      $defs[`d${level}`] = { oneOf: [below, { allOf: [below, below] }] };
    }
    expect(schemaProblem({ $ref: '#/$defs/d59', $defs }, 'x')).toBeNull();
    expect(performance.now() - began).toBeLessThan(5_000);
    // The budget is each check's own.
    expect(schemaProblem({ type: 'string' }, 1)).not.toBeNull();
  });
});

import { describe, expect, it } from 'vitest';
import { schemaProblem, schemaVerdict, uncheckedWord } from '../../src/core/schema-check.ts';

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

  // What OpenAI's structured outputs let a schema say, each with a value that fits and one that does not.
  it.each<[string, object, unknown, unknown]>([
    ['type', { type: 'integer' }, 3, 3.5],
    ['types', { type: ['string', 'null'] }, null, 1],
    ['enum', { enum: ['a', { b: 1 }] }, { b: 1 }, { b: 2 }],
    ['const', { const: 'x' }, 'x', 'y'],
    ['anyOf', { anyOf: [{ type: 'string', pattern: '^a' }, { type: 'null' }] }, 'ab', 'b'],
    ['pattern', { pattern: '^@[a-zA-Z0-9_]+$' }, '@weir_1', '@weir-1'],
    ['pattern of characters beyond 16 bits', { pattern: '^.{3}$' }, '😀ab', 'ab'],
    ['pattern with escapes that need not be', { pattern: '^\\d{2}\\-[\\u{1F600}-\\u{1F64F}]$' }, '12-😀', '12_😀'],
    ['pattern beside a format', { format: 'email', pattern: '@weir\\.dev$' }, 'a@weir.dev', 'a@other.dev'],
    ['pattern beside allOf', { allOf: [{ minLength: 2 }], format: 'uuid', pattern: 'x' }, 7, 'x'],
    ['date-time', { format: 'date-time' }, '2026-02-28T10:00:00Z', '2026-02-30T10:00:00Z'],
    ['time', { format: 'time' }, '10:00:00Z', '25:00:00Z'],
    ['date', { format: 'date' }, '2028-02-29', '29.2.2028'],
    ['duration', { format: 'duration' }, 'P3DT4H', '3 days'],
    ['email', { format: 'email' }, 'a@weir.dev', 'a at weir.dev'],
    ['hostname', { format: 'hostname' }, 'weir.dev', '-weir.dev'],
    ['ipv4', { format: 'ipv4' }, '10.0.0.1', '10.0.0.256'],
    ['ipv6', { format: 'ipv6' }, '::1', ':::1'],
    ['uuid', { format: 'uuid' }, '123e4567-e89b-12d3-a456-426614174000', '123e4567'],
    ['multipleOf', { multipleOf: 0.1 }, 0.3, 0.35],
    ['minimum', { minimum: 0 }, 0, -1],
    ['maximum', { maximum: 9 }, 9, 10],
    ['exclusiveMinimum', { exclusiveMinimum: 0 }, 0.1, 0],
    ['exclusiveMaximum', { exclusiveMaximum: 9 }, 8.9, 9],
    ['minLength', { minLength: 2 }, '😀a', '😀'],
    ['maxLength', { maxLength: 1 }, '😀', '😀a'],
    ['minItems', { minItems: 1 }, [1], []],
    ['maxItems', { maxItems: 1 }, [1], [1, 2]],
    ['uniqueItems', { uniqueItems: true }, [1, 2], [{ a: 1 }, { a: 1 }]],
    ['items', { items: { type: 'string' } }, ['a'], ['a', 1]],
    ['required', { required: ['a'] }, { a: null }, {}],
    ['additionalProperties', { properties: { a: true }, additionalProperties: false }, { a: 1 }, { b: 1 }],
    [
      '$ref into $defs',
      { $ref: '#/$defs/code', $defs: { code: { type: 'string', pattern: '^[A-Z]{3}$' } } },
      'EUR',
      'Euro',
    ],
    [
      'recursion',
      {
        type: 'object',
        properties: { tag: { pattern: '^h[1-6]$' }, children: { type: 'array', items: { $ref: '#' } } },
      },
      { tag: 'h1', children: [{ tag: 'h2', children: [] }] },
      { tag: 'h1', children: [{ tag: 'h2', children: [{ tag: 'h7' }] }] },
    ],
  ])('checks %s', (_word, schema, fits, misses) => {
    expect(schemaProblem(schema as Record<string, unknown>, fits)).toBeNull();
    expect(schemaProblem(schema as Record<string, unknown>, misses)).not.toBeNull();
    expect(uncheckedWord(schema as Record<string, unknown>)).toBeNull();
  });

  it('names the pattern that a text misses', () => {
    expect(schemaProblem({ properties: { code: { pattern: '^[A-Z]+$' } } }, { code: 'eur' })).toBe(
      'code: String does not match pattern "^[A-Z]+$".',
    );
  });

  it('leaves out what cannot be checked safely, says which word that is, and checks the rest', () => {
    for (const [word, unchecked] of [
      ['pattern', { pattern: '^(?!a)b' }],
      ['pattern', { pattern: '(a)\\1' }],
      ['pattern', { pattern: '\\AaZ' }],
      ['pattern', { pattern: '\\p{L}' }],
      ['format', { format: 'url' }],
      ['patternProperties', { patternProperties: { '^x': { type: 'null' } }, additionalProperties: false }],
    ] as const) {
      const schema = { properties: { a: { ...unchecked } }, required: ['b'] };
      expect(uncheckedWord(schema)).toBe(word);
      expect(schemaProblem(schema, { a: 'no', b: 1 })).toBeNull();
      expect(schemaProblem(schema, { a: { x: 1 }, b: 1 })).toBeNull();
      expect(schemaProblem(schema, { a: 'no' })).toContain('b');
    }
    const unique = { properties: { a: { uniqueItems: true } }, required: ['b'] };
    const a = Array.from({ length: 5_000 }, (_, index) => ({ index }));
    expect(schemaVerdict(unique, { a, b: 1 })).toBeNull();
    expect(schemaProblem(unique, { a })).toContain('b');
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
    const text = `${'a'.repeat(5_000)}!`;
    const bad = { pattern: '^(a+)+$' };
    const regex = { properties: { a: bad }, patternProperties: { '^(a+)+$': { type: 'null' } } };
    expect(schemaProblem(regex, { a: text, [text]: 1 })).toContain('pattern');
    // Wherever a schema can hide one: behind names that are words elsewhere, and in data that a reference leads to.
    const hidden = { properties: { const: bad, default: bad }, dependencies: { enum: bad }, enum: [{ const: text }] };
    expect(schemaProblem(hidden, { const: text })).toContain('pattern');
    expect(schemaProblem({ $ref: '#/examples', examples: bad }, text)).toBeNull();
    // A long text by a costly pattern spends the budget.
    expect(schemaVerdict({ pattern: '^(a{1,900}b?)+$' }, 'a'.repeat(1_000_000))).toBeNull();
    expect(schemaVerdict({ pattern: '^[a-z]+$' }, 'a'.repeat(500_000))).toEqual({ problem: null });
    expect(schemaVerdict({ format: 'email' }, `${'a.'.repeat(500_000)}@`)?.problem).toContain('email');
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

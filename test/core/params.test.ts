import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ParamRules } from '../../src/core/lane.ts';
import { applyParams } from '../../src/core/params.ts';

function rules(given: Partial<ParamRules>): ParamRules {
  return { defaults: {}, overrides: {}, drops: [], ...given };
}

function freeze<T>(value: T): T {
  if (value !== null && typeof value === 'object') {
    Object.values(value).forEach(freeze);
    Object.freeze(value);
  }
  return value;
}

const body = freeze({
  model: 'm',
  temperature: 1,
  messages: [
    { role: 'user', name: 'a', 'odd.name': 1 },
    { role: 'user', name: 'b' },
  ],
  extra: { deep: { x: 1, y: 2 } },
});

describe('parameters', () => {
  it('fill what is missing, then replace, then drop', () => {
    const changed = applyParams(body, {
      defaults: { temperature: 0, top_p: 0.5 },
      overrides: { top_p: 0.9, extra: { only: 1 } },
      drops: ['temperature'],
    });
    expect(changed).toEqual({ model: 'm', messages: body.messages, top_p: 0.9, extra: { only: 1 } });
  });

  it('keep an explicit null against a default', () => {
    expect(applyParams({ stop: null }, rules({ defaults: { stop: 'x' } }))).toEqual({ stop: null });
  });

  it.each([
    ['messages[*].name', { messages: [{ role: 'user', 'odd.name': 1 }, { role: 'user' }] }],
    ['messages[1].name', { messages: [body.messages[0], { role: 'user' }] }],
    ['messages.1.name', { messages: [body.messages[0], { role: 'user' }] }],
    ['messages[0]["odd.name"]', { messages: [{ role: 'user', name: 'a' }, body.messages[1]] }],
    ['messages[0]', { messages: [body.messages[1]] }],
    ['messages[*]', { messages: [] }],
    ['extra.deep.x', { extra: { deep: { y: 2 } } }],
  ])('drop %s', (path, expected) => {
    expect(applyParams(body, rules({ drops: [path] }))).toEqual({ ...body, ...expected });
  });

  it.each([
    'absent',
    'messages[9].name',
    'messages.x',
    'extra.deep.z',
    'model.length',
    'extra[*]',
    'toString',
    '__proto__',
  ])('answer the very same body when %s is not there', (path) => {
    expect(applyParams(body, rules({ drops: [path] }))).toBe(body);
  });

  it('answer the very same body when there is nothing to apply', () => {
    expect(applyParams(body, rules({ defaults: { temperature: 0 } }))).toBe(body);
  });

  it('leave prototypes alone', () => {
    const polluted = JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}');
    const changed = applyParams(body, { defaults: polluted, overrides: polluted, drops: ['constructor.prototype.x'] });
    expect(Object.getPrototypeOf(changed)).toBe(Object.prototype);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    expect(Object.hasOwn(changed, '__proto__')).toBe(true);
    const without = applyParams(JSON.parse('{"a":{"__proto__":{"x":1,"y":2}}}'), rules({ drops: ['a.__proto__.x'] }));
    expect(JSON.stringify(without)).toBe('{"a":{"__proto__":{"y":2}}}');
  });

  it('never change what they are given', () => {
    const json = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<unknown>;
    const names = fc.constantFrom('a', 'b', '__proto__', 'c');
    const paths = fc.constantFrom('a', 'b', 'a.b', 'a[*]', 'a[*].b', 'b[0]', '__proto__', 'a.__proto__', 'c.0');
    fc.assert(
      fc.property(
        fc.dictionary(names, json),
        fc.dictionary(names, json),
        fc.array(paths),
        (given, overrides, drops) => {
          const before = JSON.stringify(given);
          applyParams(freeze(given), { defaults: overrides, overrides, drops });
          expect(JSON.stringify(given)).toBe(before);
        },
      ),
    );
  });
});

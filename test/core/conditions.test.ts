import { describe, expect, it } from 'vitest';
import { compileQuery, type Subject } from '../../src/core/conditions.ts';
import type { Problem } from '../../src/core/problems.ts';

const subject: Subject = {
  params: JSON.parse(
    '{"model":"gpt-4o","max_tokens":100,"stream":false,"user":null,"messages":[{"role":"system"}],"__proto__":{"x":1}}',
  ),
  metadata: { tier: 'gold', count: '12' },
  url: { pathname: '/v1/chat/completions' },
};

function ask(query: unknown): boolean {
  const problems: Problem[] = [];
  const compiled = compileQuery(query, [], problems);
  expect(problems).toEqual([]);
  return compiled.test(subject);
}

function refuse(query: unknown): string {
  const problems: Problem[] = [];
  compileQuery(query, ['query'], problems);
  return problems.map((problem) => `${problem.path}: ${problem.message}`).join('\n');
}

describe('conditions', () => {
  it.each([
    [{ 'params.model': { $eq: 'gpt-4o' } }, true],
    [{ 'params.model': 'gpt-4o' }, true],
    [{ 'params.model': { $ne: 'gpt-4o' } }, false],
    [{ 'params.model': { $in: ['a', 'gpt-4o'] } }, true],
    [{ 'params.model': { $nin: ['a', 'gpt-4o'] } }, false],
    [{ 'params.model': { $regex: '^gpt-' } }, true],
    [{ 'params.max_tokens': { $gt: 99, $lt: 101 } }, true],
    [{ 'params.max_tokens': { $gte: 100, $lte: 100 } }, true],
    [{ 'params.max_tokens': { $gt: 100 } }, false],
    [{ 'params.stream': { $eq: false } }, true],
    [{ 'params.user': { $eq: null } }, true],
    [{ 'params.messages[0].role': { $eq: 'system' } }, true],
    [{ 'params.messages.0.role': 'system' }, true],
    [{ 'metadata.count': { $gt: 9 } }, true],
    [{ 'metadata.tier': { $gt: 1 } }, false],
    [{ 'url.pathname': { $regex: 'chat' } }, true],
    [{ $and: [{ 'metadata.tier': 'gold' }, { 'params.model': 'x' }] }, false],
    [{ $or: [{ 'metadata.tier': 'gold' }, { 'params.model': 'x' }] }, true],
  ])('%j is %s', (query, expected) => {
    expect(ask(query)).toBe(expected);
  });

  it('apply every operator beside $regex', () => {
    expect(ask({ 'params.model': { $regex: '^gpt', $ne: 'gpt-4o' } })).toBe(false);
  });

  it('apply every member beside $or and $and', () => {
    expect(ask({ $or: [{ 'metadata.tier': 'gold' }], 'params.model': 'other' })).toBe(false);
    expect(ask({ $and: [{ 'metadata.tier': 'gold' }], 'params.model': 'other' })).toBe(false);
  });

  it.each(['$eq', '$ne', '$in', '$nin', '$regex', '$gt', '$lte'])('make %s false for a missing field', (operator) => {
    const operand = { $in: ['x'], $nin: ['x'], $regex: '', $gt: 0, $lte: 0 }[operator] ?? 'x';
    expect(ask({ 'metadata.absent': { [operator]: operand } })).toBe(false);
  });

  it('never see inherited members', () => {
    expect(ask({ 'params.constructor': { $ne: 'x' } })).toBe(false);
    expect(ask({ 'params.messages.length': { $gte: 0 } })).toBe(true);
    expect(ask({ 'metadata.toString.name': { $ne: 'x' } })).toBe(false);
    expect(ask({ 'params.__proto__.x': { $eq: 1 } })).toBe(true);
    expect(ask({ 'metadata.__proto__': { $ne: 'x' } })).toBe(false);
  });

  it('say whether the body is needed, for which the model alone is not enough', () => {
    expect(compileQuery({ 'metadata.a': 'b', 'params.model': 'm', 'url.pathname': 'x' }, [], []).needsBody).toBe(false);
    expect(compileQuery({ $or: [{ 'params.user': 'b' }] }, [], []).needsBody).toBe(true);
  });

  it.each([
    [{ 'params.a': { $like: 'x' } }, /query\.params\.a\.\$like: unknown operator/],
    [{ 'params.a': { $gtee: 1 } }, /Did you mean '\$gte'/],
    [{ $not: [] }, /query\.\$not: unknown operator/],
    [{ $or: [] }, /1 to 64 queries/],
    [{ 'headers.x': 'y' }, /is not a field/],
    [{ params: 'y' }, /is not a field/],
    [{ 'params.a[*]': 'y' }, /is not a field/],
    [{}, /is empty/],
    [[], /must be an object/],
    [{ 'params.a': {} }, /names no operator/],
    [{ 'params.a': { $gt: 'many' } }, /must be a number/],
    [{ 'params.a': { $in: 'x' } }, /must be a list/],
    [{ 'params.a': { $eq: {} } }, /must be a string/],
    [{ 'params.a': { $regex: '(a)\\1' } }, /query\.params\.a\.\$regex: backreferences/],
    [{ $and: [{ 'params.a': { $x: 1 } }] }, /query\.\$and\[0\]\.params\.a\.\$x/],
  ])('refuse %j', (query, message) => {
    expect(refuse(query)).toMatch(message);
  });
});

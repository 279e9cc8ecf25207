import { describe, expect, it } from 'vitest';
import { createModelNames } from '../../src/core/model-names.ts';
import { createLaneAssigner } from '../../src/core/routing.ts';
import { ENDPOINTS } from '../../src/protocol/endpoint.ts';
import { assigner, balanced, facts, laneOf, show, split } from './routing-lanes.ts';

describe('what a model names', () => {
  const lanes = () => assigner(null, { mini: balanced, m: { provider: 'c', model: 'from-route' } });
  const failureOf = (model: string) => {
    const lane = laneOf(lanes(), { model });
    return lane.kind === 'refuse' ? lane.failure : null;
  };

  it.each([
    ['mini', 'a/x b/y(trouble) c/z(trouble)'],
    ['m', 'c/from-route'],
    ['a/m', 'a/m'],
    ['@a/m', 'a/m'],
    ['c/anything/at/all', 'c/anything/at/all'],
    ['org/model', 'a/org/model'],
    ['a/odd', 'a/odd'],
    ['chatty', 'chat-only/chatty'],
  ])('is understood for %s', (model, expected) => {
    expect(show(laneOf(lanes(), { model }))).toBe(expected);
  });

  it('comes after the route of the batch', () => {
    expect(show(laneOf(assigner({ provider: 'b', model: 'y' }, { mini: balanced }), { model: 'mini' }))).toBe('b/y');
  });

  it('is refused when several providers list it, naming them and the remedy', () => {
    expect(failureOf('shared')).toMatchObject({ code: 'model_not_found', param: 'model', reachedProvider: false });
    expect(failureOf('shared')?.message).toMatch(/\(a, b\).*'a\/shared' or 'b\/shared'/);
  });

  it('is refused with close names when nobody knows it', () => {
    expect(failureOf('chaty')?.message).toContain("Did you mean 'chatty'");
    expect(failureOf('@nobody/x')?.message).toContain("no provider 'nobody'");
    expect(failureOf('@a')?.message).toContain('@a/<model>');
    expect(failureOf('')?.code).toBe('model_not_found');
    expect(failureOf('constructor')?.code).toBe('model_not_found');
    expect(failureOf('x'.repeat(10_000))!.message.length).toBeLessThan(500);
  });

  it('is refused with a word on providers that did not answer', () => {
    const names = createModelNames(new Map(), new Map([['quiet', facts(null, ENDPOINTS, true)]]));
    const resolution = names.resolve('something');
    expect(resolution.kind === 'refuse' && resolution.failure.message).toMatch(/did not answer.*quiet/);
  });

  it('leaves out targets that do not serve the endpoint, and shares their part among the others', () => {
    const config = {
      strategy: { mode: 'loadbalance' },
      targets: [
        { provider: 'chat-only', model: 'x', weight: 50 },
        { provider: 'a', model: 'y', weight: 25 },
        { provider: 'b', model: 'z', weight: 25 },
      ],
    };
    const mixed = assigner(config);
    expect(split(mixed, 100, { endpoint: '/v1/embeddings' })).toEqual({ 'a/y': 50, 'b/z': 50 });
    expect(split(mixed, 100)).toEqual({ 'chat-only/x': 50, 'a/y': 25, 'b/z': 25 });
  });

  it('is refused as endpoint_unsupported when no target serves the endpoint', () => {
    const lane = laneOf(lanes(), { model: 'chatty', endpoint: '/v1/embeddings' });
    expect(lane).toMatchObject({ kind: 'refuse', failure: { code: 'endpoint_unsupported' } });
    expect(lane.kind === 'refuse' && lane.failure.message).toContain('/v1/embeddings');
    const all = assigner({ strategy: { mode: 'fallback' }, targets: [{ provider: 'chat-only', model: 'x' }] });
    expect(show(laneOf(all, { endpoint: '/v1/moderations' }))).toBe('refuse endpoint_unsupported');
  });

  it('is refused when the provider of a stored route is gone', () => {
    const names = createModelNames(new Map(), new Map());
    const lanes = createLaneAssigner({ names, batchRoute: { provider: 'gone', model: 'x' }, metadata: null });
    expect(show(laneOf(lanes))).toBe('refuse provider_not_found');
  });
});

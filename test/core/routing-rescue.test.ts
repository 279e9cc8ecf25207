import { describe, expect, it } from 'vitest';
import { routeLeavesProviderOpen } from '../../src/core/route-steps.ts';
import { assigner, balanced, laneOf, route, show } from './routing-lanes.ts';

describe('a rescue', () => {
  const rescued = (rescue: unknown, base: object = balanced) => laneOf(assigner({ ...base, rescue }));
  const leaf = { provider: 'a', model: 'x' };

  it('comes after all other targets of a line, on trouble, in the order written', () => {
    const to = [
      { provider: 'c', model: 'spare' },
      { provider: 'a', model: 'x' },
    ];
    expect(show(rescued({ to }))).toBe('a/x b/y(trouble) c/z(trouble) c/spare(trouble) a/x(trouble)');
    expect(show(rescued({ to: to[0] }, leaf))).toBe('a/x c/spare(trouble)');
    const chain = { strategy: { mode: 'fallback', on_status_codes: [429] }, targets: balanced.targets };
    expect(show(rescued({ to }, chain))).toBe('a/x b/y(429) c/z(429) c/spare(trouble) a/x(trouble)');
  });

  it('does not share the queue of targets that share by capacity', () => {
    const pool = { ...balanced, strategy: { mode: 'loadbalance', by: 'capacity' } };
    const lane = rescued({ to: { provider: 'c', model: 'spare' } }, pool);
    expect(lane).toMatchObject({ kind: 'run', shared: 3 });
    expect(show(lane)).toBe('a/x b/y(trouble) c/z(trouble) c/spare(trouble)');
  });

  it('runs at once unless its target says otherwise, and takes the rest from the root', () => {
    const base = { ...leaf, mode: 'batch', request_timeout: 7_000, override_params: { seed: 1 } };
    const to = [
      { provider: 'b', model: 'y', request_timeout: 5, drop_params: ['top_k'] },
      { provider: 'c', model: 'z', mode: 'batch' },
    ];
    expect(rescued({ to }, base)).toMatchObject({
      candidates: [
        { mode: 'batch', requestTimeoutMs: 7_000 },
        { mode: 'immediate', requestTimeoutMs: 5, params: { overrides: { seed: 1 }, drops: ['top_k'] } },
        { mode: 'batch', requestTimeoutMs: 7_000, params: { overrides: { seed: 1 }, drops: [] } },
      ],
    });
  });

  it.each([
    ['90m', 5_400],
    ['20h', 72_000],
    ['2d', 172_800],
  ])('calls lines back after %s', (after, seconds) => {
    const lane = rescued({ after });
    expect(lane).toMatchObject({ rescueAfterSeconds: seconds });
    expect(show(lane)).toBe('a/x b/y(trouble) c/z(trouble)');
  });

  it('leaves no time on the lane when it names none', () => {
    expect(rescued({ to: leaf })).not.toHaveProperty('rescueAfterSeconds');
    expect(laneOf(assigner(balanced))).not.toHaveProperty('rescueAfterSeconds');
  });

  it('holds for lines that reach the route by its name, and only for them', () => {
    const lanes = assigner(null, { safe: { ...leaf, rescue: { after: '1h', to: { provider: 'b', model: 'y' } } } });
    expect(show(laneOf(lanes, { model: 'safe' }))).toBe('a/x b/y(trouble)');
    expect(show(laneOf(lanes, { model: 'a/x' }))).toBe('a/x');
  });

  it('goes on with the model of the line when its target names none', () => {
    const lanes = assigner({ ...leaf, rescue: { to: { provider: 'c' } } });
    expect(show(laneOf(lanes, { model: 'm' }))).toBe('a/x c/m(trouble)');
  });

  it('passes over targets that do not serve the endpoint, and is never the first target', () => {
    const embeddings = { endpoint: '/v1/embeddings' } as const;
    const spare = assigner({
      ...leaf,
      rescue: {
        to: [
          { provider: 'chat-only', model: 'x' },
          { provider: 'b', model: 'y' },
        ],
      },
    });
    expect(show(laneOf(spare, embeddings))).toBe('a/x b/y(trouble)');
    const unable = assigner({ provider: 'chat-only', model: 'x', rescue: { to: leaf } });
    expect(show(laneOf(unable, embeddings))).toBe('refuse endpoint_unsupported');
    expect(show(laneOf(unable))).toBe('chat-only/x a/x(trouble)');
  });

  it('makes lists of models necessary when one of its targets names no provider', () => {
    expect(routeLeavesProviderOpen(route({ ...leaf, rescue: { to: { provider: 'b' } } }))).toBe(false);
    expect(routeLeavesProviderOpen(route({ ...leaf, rescue: { to: [{ provider: 'b' }, { model: 'm' }] } }))).toBe(true);
  });
});

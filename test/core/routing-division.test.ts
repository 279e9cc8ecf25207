import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LANES_MAX } from '../../src/core/routing.ts';
import { assigner, balanced, CHAT, laneOf, show, split } from './routing-lanes.ts';

describe('dividing lines over lanes', () => {
  it('sends 10,000 lines at 40/30/30 to 4000/3000/3000', () => {
    expect(split(assigner(balanced), 10_000)).toEqual({ 'a/x': 4000, 'b/y': 3000, 'c/z': 3000 });
  });

  it('sends 1,319 lines at 40/30/30 to 528/396/395 within one', () => {
    const counts = split(assigner(balanced), 1_319);
    expect(Math.abs(counts['a/x']! - 528)).toBeLessThanOrEqual(1);
    expect(Math.abs(counts['b/y']! - 396)).toBeLessThanOrEqual(1);
    expect(Math.abs(counts['c/z']! - 395)).toBeLessThanOrEqual(1);
  });

  it('gives every line the same lane and every lane the same number, each time', () => {
    const numbers = () => {
      const lanes = assigner(balanced);
      const assigned = Array.from({ length: 500 }, () => lanes.assign({ model: 'm', endpoint: CHAT, bytes: 9 }));
      return { assigned, lanes: lanes.lanes };
    };
    expect(numbers()).toEqual(numbers());
    expect(numbers().lanes).toHaveLength(3);
  });

  it('counts all lines of the route together, whatever their models and endpoints', () => {
    const lanes = assigner(balanced);
    const counts: Record<string, number> = {};
    for (let index = 0; index < 1_000; index += 1) {
      const line = { model: `m${index % 7}`, endpoint: index % 2 === 0 ? CHAT : ('/v1/responses' as const) };
      const first = show(laneOf(lanes, line)).split(' ')[0]!;
      counts[first] = (counts[first] ?? 0) + 1;
    }
    expect(counts).toEqual({ 'a/x': 400, 'b/y': 300, 'c/z': 300 });
  });

  it('lets a line move to the other members, heaviest first, when its own is in trouble', () => {
    const lanes = assigner(balanced);
    expect(new Set(Array.from({ length: 10 }, () => show(laneOf(lanes))))).toEqual(
      new Set(['a/x b/y(trouble) c/z(trouble)', 'b/y a/x(trouble) c/z(trouble)', 'c/z a/x(trouble) b/y(trouble)']),
    );
  });

  it('never sends a line to a member of weight zero, not even in trouble', () => {
    const config = { ...balanced, targets: [...balanced.targets, { provider: 'a', model: 'never', weight: 0 }] };
    const lanes = assigner(config);
    for (let index = 0; index < 200; index += 1) expect(show(laneOf(lanes))).not.toContain('never');
  });

  it('divides estimated tokens when told so', () => {
    const lanes = assigner({ ...balanced, strategy: { mode: 'loadbalance', by: 'tokens' } });
    const bytes: Record<string, number> = {};
    for (let index = 0; index < 3_000; index += 1) {
      const size = 1 + ((index * 7_919) % 5_000);
      const first = show(laneOf(lanes, { bytes: size })).split(' ')[0]!;
      bytes[first] = (bytes[first] ?? 0) + size;
    }
    const total = Object.values(bytes).reduce((sum, value) => sum + value, 0);
    expect(Math.abs(bytes['a/x']! - total * 0.4)).toBeLessThan(10_000);
    expect(Math.abs(bytes['c/z']! - total * 0.3)).toBeLessThan(10_000);
  });

  it('shares one queue among all members by capacity', () => {
    const lanes = assigner({ ...balanced, strategy: { mode: 'loadbalance', by: 'capacity' } });
    const lane = laneOf(lanes);
    expect(lane).toMatchObject({ kind: 'run', shared: 3 });
    expect(show(lane)).toBe('a/x b/y(trouble) c/z(trouble)');
    expect(lane.kind === 'run' && lane.candidates.map((candidate) => candidate.weight)).toEqual([40, 30, 30]);
    laneOf(lanes);
    expect(lanes.lanes).toHaveLength(1);
  });

  it('shares a queue and falls back from it', () => {
    const pool = { strategy: { mode: 'loadbalance', by: 'capacity' }, targets: balanced.targets.slice(0, 2) };
    const lane = laneOf(assigner({ strategy: { mode: 'fallback' }, targets: [pool, { provider: 'c', model: 'z' }] }));
    expect(show(lane)).toBe('a/x b/y(trouble) c/z(any)');
    expect(lane).toMatchObject({ shared: 2 });
  });

  it('falls back in order, by status where told so', () => {
    const targets = [
      { provider: 'a', model: 'x' },
      { provider: 'b', model: 'y' },
      { provider: 'c', model: 'z' },
    ];
    expect(show(laneOf(assigner({ strategy: { mode: 'fallback' }, targets })))).toBe('a/x b/y(any) c/z(any)');
    const byStatus = { strategy: { mode: 'fallback', on_status_codes: [429, 500] }, targets };
    expect(show(laneOf(assigner(byStatus)))).toBe('a/x b/y(429,500) c/z(429,500)');
  });

  it('takes the first target in mode single', () => {
    expect(show(laneOf(assigner({ strategy: { mode: 'single' }, targets: balanced.targets })))).toBe('a/x');
  });

  it('divides nested groups exactly on each level', () => {
    const inner = {
      strategy: { mode: 'loadbalance' },
      weight: 3,
      targets: [
        { provider: 'a', model: 'x', weight: 1 },
        { provider: 'b', model: 'y', weight: 2 },
      ],
    };
    const config = { strategy: { mode: 'loadbalance' }, targets: [inner, { provider: 'c', model: 'z', weight: 1 }] };
    expect(split(assigner(config), 1_200)).toEqual({ 'a/x': 300, 'b/y': 600, 'c/z': 300 });
  });

  it('divides the lines that fall back over a balanced group', () => {
    const config = { strategy: { mode: 'fallback' }, targets: [{ provider: 'a', model: 'm' }, balanced] };
    const lanes = assigner(config);
    const seconds: Record<string, number> = {};
    for (let index = 0; index < 1_000; index += 1) {
      const second = show(laneOf(lanes)).split(' ')[1]!;
      seconds[second] = (seconds[second] ?? 0) + 1;
    }
    expect(seconds).toEqual({ 'a/x(any)': 400, 'b/y(any)': 300, 'c/z(any)': 300 });
  });

  it('enters a nested fallback by its parent rule and goes on by its own', () => {
    const nested = {
      strategy: { mode: 'fallback', on_status_codes: [503] },
      targets: [
        { provider: 'b', model: 'y' },
        { provider: 'c', model: 'z' },
      ],
    };
    const config = {
      strategy: { mode: 'fallback', on_status_codes: [429] },
      targets: [{ provider: 'a', model: 'x' }, nested],
    };
    expect(show(laneOf(assigner(config)))).toBe('a/x b/y(429) c/z(503)');
  });

  it('stays within one of every share in any nesting, for any weights, and repeats itself', () => {
    const weight = fc.integer({ min: 0, max: 20 });
    const group = fc.array(weight, { minLength: 1, maxLength: 4 }).filter((list) => list.some((value) => value > 0));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 20 }), group), { minLength: 1, maxLength: 4 }),
        (groups) => {
          const targets = groups.map(([outer, inner], index) => ({
            strategy: { mode: 'loadbalance' },
            weight: outer,
            targets: inner.map((value, member) => ({ provider: 'a', model: `g${index}-${member}`, weight: value })),
          }));
          const config = { strategy: { mode: 'loadbalance' }, targets };
          const lines = 157;
          const counts = split(assigner(config), lines);
          expect(split(assigner(config), lines)).toEqual(counts);
          const outerTotal = groups.reduce((sum, [outer]) => sum + outer, 0);
          for (const [index, [outer, inner]] of groups.entries()) {
            const taken = inner.map((_value, member) => counts[`a/g${index}-${member}`] ?? 0);
            const all = taken.reduce((sum, value) => sum + value, 0);
            expect(Math.abs(all - (lines * outer) / outerTotal)).toBeLessThanOrEqual(1);
            const innerTotal = inner.reduce((sum, value) => sum + value, 0);
            for (const [member, value] of inner.entries()) {
              expect(Math.abs(taken[member]! - (all * value) / innerTotal)).toBeLessThanOrEqual(1);
            }
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('divides a million lines in seconds', () => {
    const lanes = assigner(balanced);
    const started = performance.now();
    for (let index = 0; index < 1_000_000; index += 1) lanes.assign({ model: 'm', endpoint: CHAT, bytes: 700 });
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  it('bounds the lanes of a batch and says what to do', () => {
    const lanes = assigner(balanced.targets[0] && { provider: 'a' });
    for (let index = 0; index < LANES_MAX + 50; index += 1) laneOf(lanes, { model: `m${index}` });
    expect(lanes.lanes).toHaveLength(LANES_MAX);
    expect(laneOf(lanes, { model: 'one-more' })).toMatchObject({ kind: 'refuse', failure: { code: 'too_many_lanes' } });
    expect(show(laneOf(lanes, { model: 'm1' }))).toBe('a/m1');
  });
});

// biome-ignore-all lint/suspicious/noThenProperty: `then` is a word of routing configs, never awaited.
/* oxlint-disable unicorn/no-thenable -- as above. */
import { describe, expect, it } from 'vitest';
import { assigner, balanced, laneOf, show } from './routing-lanes.ts';

describe('conditions', () => {
  const conditional = {
    strategy: {
      mode: 'conditional',
      conditions: [
        { query: { 'metadata.tier': 'gold' }, then: 'gold' },
        { query: { 'params.max_tokens': { $gt: 10 } }, then: 'long' },
      ],
      default: 'rest',
    },
    targets: [
      { name: 'gold', provider: 'a', model: 'x' },
      { name: 'long', provider: 'b', model: 'y' },
      { name: 'rest', provider: 'c', model: 'z' },
    ],
  };

  it('choose by metadata, by parameters, else the default', () => {
    expect(show(laneOf(assigner(conditional, {}, { tier: 'gold' }), { body: {} }))).toBe('a/x');
    expect(show(laneOf(assigner(conditional), { body: { max_tokens: 11 } }))).toBe('b/y');
    expect(show(laneOf(assigner(conditional), { body: { max_tokens: 10 } }))).toBe('c/z');
  });

  it('ask for bodies only where a body decides', () => {
    const byModel = {
      strategy: {
        mode: 'conditional',
        conditions: [{ query: { 'params.model': 'special' }, then: 'x' }],
        default: 'x',
      },
      targets: [{ name: 'x', provider: 'a' }],
    };
    const lanes = assigner(null, {
      conditional,
      byModel,
      nested: { strategy: { mode: 'single' }, targets: [conditional] },
    });
    expect(['conditional', 'nested', 'byModel', 'm'].map((model) => lanes.needsBody(model))).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect(assigner(conditional).needsBody('anything')).toBe(true);
  });

  it('count turns of a group only for the lines that reach it', () => {
    const config = {
      ...conditional,
      targets: [conditional.targets[0], { ...balanced, name: 'long' }, conditional.targets[2]],
    };
    const lanes = assigner(config);
    const counts: Record<string, number> = {};
    for (let index = 0; index < 600; index += 1) {
      const lane = laneOf(lanes, { body: { max_tokens: index % 2 === 0 ? 100 : 1 } });
      const first = show(lane).split(' ')[0]!;
      counts[first] = (counts[first] ?? 0) + 1;
    }
    expect(counts).toEqual({ 'a/x': 120, 'b/y': 90, 'c/z': 90 + 300 });
  });
});

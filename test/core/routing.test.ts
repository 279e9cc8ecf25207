// biome-ignore-all lint/suspicious/noThenProperty: `then` is a word of routing configs, never awaited.
/* oxlint-disable unicorn/no-thenable -- as above. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { targetName } from '../../src/core/lane.ts';
import { createModelNames, type ProviderFacts } from '../../src/core/model-names.ts';
import { checkRoute } from '../../src/core/route-check.ts';
import { DEFAULT_RETRY, routeLeavesProviderOpen } from '../../src/core/route-steps.ts';
import { createLaneAssigner, LANES_MAX, type LaneAssigner } from '../../src/core/routing.ts';
import { ENDPOINTS, type Endpoint } from '../../src/protocol/endpoint.ts';
import type { Route } from '../../src/protocol/route.ts';

const CHAT: Endpoint = '/v1/chat/completions';

function facts(models: string[] | null, endpoints: readonly Endpoint[] = ENDPOINTS, silent = false): ProviderFacts {
  return { endpoints, models, silent };
}

const providers = new Map<string, ProviderFacts>([
  ['a', facts(['m', 'shared', 'org/model'])],
  ['b', facts(['shared', 'a/odd'])],
  ['c', facts(null)],
  ['chat-only', facts(['chatty'], [CHAT])],
]);

function route(config: unknown): Route {
  const checked = checkRoute(config, new Set(providers.keys()));
  if (!checked.ok) throw new Error(JSON.stringify(checked.problems));
  return checked.value;
}

function assigner(batch: unknown, routes: Record<string, unknown> = {}, metadata = {}): LaneAssigner {
  const named = new Map(Object.entries(routes).map(([name, config]) => [name, route(config)]));
  const names = createModelNames(named, providers);
  return createLaneAssigner({ names, batchRoute: batch === null ? null : route(batch), metadata });
}

function laneOf(lanes: LaneAssigner, line: Partial<Parameters<LaneAssigner['assign']>[0]> = {}) {
  const number = lanes.assign({ model: 'm', endpoint: CHAT, bytes: 100, ...line });
  const lane = lanes.lanes[number];
  if (lane === undefined) throw new Error(`no lane ${number}`);
  return lane;
}

/** `a/x b/y(trouble)`: the candidates of a lane, or why it refuses. */
function show(lane: ReturnType<typeof laneOf>): string {
  if (lane.kind === 'refuse') return `refuse ${lane.failure.code}`;
  return lane.candidates
    .map((candidate, index) => targetName(candidate) + (index === 0 ? '' : `(${String(candidate.enterOn)})`))
    .join(' ');
}

/** How many lines go to each first target. */
function split(lanes: LaneAssigner, lines: number, line: Partial<Parameters<LaneAssigner['assign']>[0]> = {}) {
  const counts: Record<string, number> = {};
  for (let index = 0; index < lines; index += 1) {
    const first = show(laneOf(lanes, line)).split(' ')[0]!;
    counts[first] = (counts[first] ?? 0) + 1;
  }
  return counts;
}

const balanced = {
  strategy: { mode: 'loadbalance' },
  targets: [
    { provider: 'a', model: 'x', weight: 40 },
    { provider: 'b', model: 'y', weight: 30 },
    { provider: 'c', model: 'z', weight: 30 },
  ],
};

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

describe('what targets inherit', () => {
  it('is the nearest retry, timeout and mode, and all parameters', () => {
    const config = {
      strategy: { mode: 'fallback' },
      retry: { attempts: 1, on_status_codes: [500] },
      request_timeout: 1_000,
      mode: 'batch',
      default_params: { a: 1, b: 1 },
      override_params: { c: 1 },
      drop_params: ['x'],
      targets: [
        {
          provider: 'a',
          model: 'x',
          retry: { attempts: 2 },
          request_timeout: 5,
          mode: 'immediate',
          default_params: { b: 2 },
          override_params: { c: 2, d: 2 },
          drop_params: ['y'],
        },
        { provider: 'b', model: 'y' },
      ],
    };
    const lane = laneOf(assigner(config));
    expect(lane.kind === 'run' && lane.candidates).toEqual([
      {
        provider: 'a',
        model: 'x',
        weight: 1,
        enterOn: 'any',
        mode: 'immediate',
        requestTimeoutMs: 5,
        retry: { attempts: 2, onStatusCodes: DEFAULT_RETRY.onStatusCodes, useRetryAfter: true },
        params: { defaults: { a: 1, b: 2 }, overrides: { c: 2, d: 2 }, drops: ['x', 'y'] },
      },
      {
        provider: 'b',
        model: 'y',
        weight: 1,
        enterOn: 'any',
        mode: 'batch',
        requestTimeoutMs: 1_000,
        retry: { attempts: 1, onStatusCodes: [500], useRetryAfter: true },
        params: { defaults: { a: 1, b: 1 }, overrides: { c: 1 }, drops: ['x'] },
      },
    ]);
  });

  it('is three retries on the usual codes when nothing is said', () => {
    expect(laneOf(assigner({ provider: 'a' }))).toMatchObject({
      candidates: [{ retry: { attempts: 3, onStatusCodes: DEFAULT_RETRY.onStatusCodes }, mode: 'auto' }],
    });
  });

  it('takes the model from the target, an override, or the line', () => {
    expect(show(laneOf(assigner({ provider: '@a', model: 'x' })))).toBe('a/x');
    expect(show(laneOf(assigner({ model: '@b/org/y' })))).toBe('b/org/y');
    const overridden = laneOf(assigner({ provider: 'a', model: 'x', override_params: { model: 'z', top_p: 1 } }));
    expect(show(overridden)).toBe('a/z');
    expect(overridden).toMatchObject({ candidates: [{ params: { overrides: { top_p: 1 } } }] });
    expect(show(laneOf(assigner({ provider: 'c' }), { model: 'whatever/it/is' }))).toBe('c/whatever/it/is');
    expect(show(laneOf(assigner({ override_params: { top_p: 1 } }), { model: 'm' }))).toBe('a/m');
  });
});

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

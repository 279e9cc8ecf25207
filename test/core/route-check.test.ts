// biome-ignore-all lint/suspicious/noThenProperty: `then` is a word of routing configs, never awaited.
/* oxlint-disable unicorn/no-thenable -- as above. */
import { describe, expect, it } from 'vitest';
import { checkRoute } from '../../src/core/route-check.ts';

const providers = new Set(['openai', 'azure-eu', 'pool']);

function problems(config: unknown): Record<string, string> {
  const checked = checkRoute(config, providers);
  return checked.ok ? {} : Object.fromEntries(checked.problems.map((problem) => [problem.path, problem.message]));
}

const leaf = { provider: 'openai', model: 'gpt-4o' };

describe('a routing config', () => {
  it.each([
    ['a single target', { provider: 'openai', model: 'gpt-4o' }],
    ['a provider written with @', { provider: '@openai', model: 'gpt-4o' }],
    ['a model written as @provider/model', { model: '@openai/gpt-4o' }],
    ['a model given as an override', { provider: 'openai', override_params: { model: 'gpt-4o' } }],
    ['parameters and retries only', { retry: { attempts: 5 }, override_params: { temperature: 0 } }],
    [
      'nested strategies',
      {
        strategy: { mode: 'fallback', on_status_codes: [429, 500] },
        retry: { attempts: 2, on_status_codes: [429], use_retry_after_header: true },
        targets: [
          {
            strategy: { mode: 'loadbalance', by: 'tokens' },
            targets: [
              { ...leaf, weight: 0.7 },
              { ...leaf, weight: 0.3, mode: 'batch' },
            ],
          },
          { strategy: { mode: 'single' }, targets: [leaf] },
        ],
      },
    ],
    [
      'conditions',
      {
        strategy: {
          mode: 'conditional',
          conditions: [{ query: { 'metadata.tier': { $eq: 'gold' } }, then: 'best' }],
          default: 'rest',
        },
        targets: [
          { name: 'best', ...leaf },
          { name: 'rest', provider: 'pool', model: 'small', drop_params: ['a[*].b'] },
        ],
      },
    ],
    [
      'rates and hours of a target',
      {
        ...leaf,
        limits: { requests_per_minute: 60 },
        schedule: { time_zone: 'Europe/Berlin', windows: [{ days: ['sat'], from: '00:00', to: '24:00' }] },
      },
    ],
    ['a rescue with one target', { ...leaf, rescue: { after: '20h', to: { provider: 'pool', model: 'small' } } }],
    [
      'a rescue with several targets',
      {
        strategy: { mode: 'single' },
        targets: [leaf],
        rescue: { to: [{ ...leaf, mode: 'batch', drop_params: ['a'] }, { model: '@pool/small' }] },
      },
    ],
    [
      'what becomes of answers that do not serve',
      {
        ...leaf,
        on_truncation: { action: 'retry', max_tokens_factor: 4, attempts: 2, to: 'next', otherwise: 'accept' },
        on_invalid_json: 'fail',
        on_refusal: { action: 'accept' },
      },
    ],
    ['a rescue with a time only', { ...leaf, rescue: { after: '90m' } }],
  ])('may be %s', (_name, config) => {
    expect(checkRoute(config, providers)).toEqual({ ok: true, value: config });
  });

  it.each([
    'sticky',
    'cb_config',
    'input_guardrails',
    'output_guardrails',
    'api_key',
    'virtual_key',
    'custom_host',
    'forward_headers',
    'prompt_id',
    'passthrough',
    'strict_open_ai_compliance',
  ])('is refused for its %s by that name, with a remedy', (field) => {
    const found = problems({ strategy: { mode: 'single' }, targets: [{ ...leaf, [field]: 'secret-value' }] });
    const message = found[`targets[0].${field}`];
    expect(message).toContain(`\`${field}\`: `);
    expect(message).toMatch(/remove|name|put/);
    expect(message).not.toContain('secret-value');
  });

  it.each([
    ['an unknown field', { ...leaf, retrys: {} }, 'retrys', /Did you mean 'retry'/],
    ['an unknown field far from all', { ...leaf, zzzz: 1 }, 'zzzz', /Known fields: name, strategy/],
    [
      'the plural of the flag',
      { ...leaf, retry: { use_retry_after_headers: true } },
      'retry.use_retry_after_headers',
      /use_retry_after_header/,
    ],
    ['an unknown mode', { strategy: { mode: 'random' }, targets: [leaf] }, 'strategy.mode', /loadbalance/],
    ['too many retries', { ...leaf, retry: { attempts: 6 } }, 'retry.attempts', /5/],
    [
      'a negative weight',
      { strategy: { mode: 'loadbalance' }, targets: [{ ...leaf, weight: -1 }] },
      'targets[0].weight',
      />=0/,
    ],
    ['an infinite weight', { ...leaf, weight: Number.POSITIVE_INFINITY }, 'weight', /number/],
    [
      'weights that are all zero',
      { strategy: { mode: 'loadbalance' }, targets: [{ ...leaf, weight: 0 }] },
      'targets',
      /every weight is zero/,
    ],
    ['targets without a strategy', { targets: [leaf] }, 'strategy', /required/],
    ['a strategy without targets', { strategy: { mode: 'single' } }, 'targets', /required/],
    ['no targets', { strategy: { mode: 'single' }, targets: [] }, 'targets', /./],
    [
      'a provider beside targets',
      { strategy: { mode: 'single' }, targets: [leaf], provider: 'openai' },
      'provider',
      /move it/,
    ],
    [
      'a field of another mode',
      { strategy: { mode: 'single', by: 'tokens' }, targets: [leaf] },
      'strategy.by',
      /loadbalance/,
    ],
    [
      'status codes on a balance',
      { strategy: { mode: 'loadbalance', on_status_codes: [500] }, targets: [leaf] },
      'strategy.on_status_codes',
      /fallback/,
    ],
    [
      'an unknown provider',
      { strategy: { mode: 'single' }, targets: [{ provider: 'opnai' }] },
      'targets[0].provider',
      /no provider 'opnai'. Did you mean 'openai'/,
    ],
    ['an unknown provider in a model', { model: '@nowhere/x' }, 'model', /no provider 'nowhere'. Configured: openai/],
    ['two providers', { provider: 'pool', model: '@openai/x' }, 'model', /another provider/],
    ['no model after @provider/', { model: '@openai/' }, 'model', /no model/],
    ['a model that is no string', { override_params: { model: 7 } }, 'override_params.model', /string/],
    ['dropping the model', { ...leaf, drop_params: ['model'] }, 'drop_params[0]', /cannot be dropped/],
    ['a broken path', { ...leaf, drop_params: ['a..b'] }, 'drop_params[0]', /is not a path/],
    [
      'nested capacity',
      {
        strategy: { mode: 'loadbalance', by: 'capacity' },
        targets: [leaf, { strategy: { mode: 'single' }, targets: [leaf] }],
      },
      'targets[1].targets',
      /capacity/,
    ],
    ['an empty rescue', { ...leaf, rescue: {} }, 'rescue', /`after`.*`to`/],
    ['a rescue after no time', { ...leaf, rescue: { after: '20' } }, 'rescue.after', /such as 90m, 20h or 2d/],
    ['a rescue after months', { ...leaf, rescue: { after: '31d' } }, 'rescue.after', /at most 30d/],
    ['a rescue to a route', { ...leaf, rescue: { to: 'mini' } }, 'rescue.to', /object/],
    ['a rescue to nothing', { ...leaf, rescue: { to: [] } }, 'rescue.to', /./],
    [
      'a rescue to an unknown provider',
      { ...leaf, rescue: { to: { provider: 'opnai' } } },
      'rescue.to.provider',
      /Did you mean 'openai'/,
    ],
    [
      'an unknown provider among several',
      { ...leaf, rescue: { to: [leaf, { model: '@nowhere/x' }] } },
      'rescue.to[1].model',
      /no provider 'nowhere'/,
    ],
    [
      'a broken path of a rescue',
      { ...leaf, rescue: { to: { ...leaf, drop_params: ['a..b'] } } },
      'rescue.to.drop_params[0]',
      /is not a path/,
    ],
    [
      'a rescue to targets of targets',
      { ...leaf, rescue: { to: { strategy: { mode: 'single' }, targets: [leaf] } } },
      'rescue.to.strategy',
      /Known fields: name, provider/,
    ],
    [
      'a misspelt field of a rescue',
      { ...leaf, rescue: { to: [{ ...leaf, providr: 'x', weigth: 1 }] } },
      'rescue.to[0].providr',
      /Did you mean 'provider'/,
    ],
    [
      'how to try again where nothing is tried again',
      { ...leaf, on_truncation: { action: 'fail', attempts: 2 } },
      'on_truncation.attempts',
      /belongs to action retry, not fail/,
    ],
    ['an unknown action', { ...leaf, on_refusal: 'ignore' }, 'on_refusal', /accept.*retry.*fail/],
    [
      'a larger limit for what no limit causes',
      { ...leaf, rescue: { to: { ...leaf, on_refusal: { action: 'retry', max_tokens_factor: 2 } } } },
      'rescue.to.on_refusal.max_tokens_factor',
      /unknown field/,
    ],
    [
      'a limit that does not grow',
      { ...leaf, on_truncation: { action: 'retry', max_tokens_factor: 1 } },
      'on_truncation.max_tokens_factor',
      />1/,
    ],
    [
      'a rescue below the top',
      { strategy: { mode: 'single' }, targets: [{ ...leaf, rescue: { after: '1h' } }] },
      'targets[0].rescue',
      /`rescue`: belongs to the route as a whole/,
    ],
    ['a rescue of a rescue', { ...leaf, rescue: { to: { ...leaf, rescue: {} } } }, 'rescue.to.rescue', /as a whole/],
    ['limits that say nothing', { ...leaf, limits: {} }, 'limits', /requests_per_minute/],
    ['a rate of nothing', { ...leaf, limits: { tokens_per_minute: 0 } }, 'limits.tokens_per_minute', />=1/],
    [
      'limits of several targets',
      { strategy: { mode: 'single' }, targets: [leaf], limits: {} },
      'limits',
      /to a target/,
    ],
    [
      'hours that are no times',
      { ...leaf, schedule: { windows: [{ from: '25:00', to: '06:00' }] } },
      'schedule.windows[0].from',
      /hours and minutes/,
    ],
    [
      'a day that is none',
      { ...leaf, rescue: { to: { ...leaf, schedule: { windows: [{ days: ['fry'], from: '01:00', to: '02:00' }] } } } },
      'rescue.to.schedule.windows[0].days[0]',
      /fri/,
    ],
    ['something that is no object', 'mini', '', /object/],
    ['null', null, '', /object/],
  ])('is refused for %s', (_name, config, path, message) => {
    expect(problems(config)[path]).toMatch(message);
  });

  it('is refused with every problem at once', () => {
    const config = {
      strategy: {
        mode: 'conditional',
        conditions: [
          { query: { 'params.a': { $like: 1 } }, then: 'besst' },
          { query: { 'params.a': 1 }, then: 'twin' },
        ],
      },
      targets: [
        { ...leaf, name: 'best' },
        { ...leaf, name: 'twin' },
        { provider: 'x', name: 'twin' },
      ],
    };
    const found = problems(config);
    expect(Object.keys(found).sort()).toEqual([
      'strategy.conditions[0].query.params.a.$like',
      'strategy.conditions[0].then',
      'strategy.conditions[1].then',
      'strategy.default',
      'targets[2].provider',
    ]);
    expect(found['strategy.conditions[0].then']).toContain("Did you mean 'best'");
    expect(found['strategy.conditions[1].then']).toContain('more than one');
  });

  it('is refused when it is too deep, too wide or endless, without exhausting the stack', () => {
    let deep: unknown = leaf;
    for (let level = 0; level < 50_000; level += 1) deep = { strategy: { mode: 'single' }, targets: [deep] };
    expect(problems(deep)['']).toMatch(/too large/);
    let nine: unknown = leaf;
    for (let level = 0; level < 8; level += 1) nine = { strategy: { mode: 'single' }, targets: [nine] };
    expect(problems(nine)['']).toMatch(/8 levels/);
    const wide = { strategy: { mode: 'loadbalance' }, targets: Array.from({ length: 65 }, () => leaf) };
    expect(problems(wide)['']).toMatch(/64 targets/);
    let params: unknown = 1;
    for (let level = 0; level < 100_000; level += 1) params = [params];
    expect(problems({ ...leaf, default_params: { params } })['']).toMatch(/nested/);
  });

  it('cannot reach prototypes', () => {
    const config = JSON.parse('{"provider":"openai","__proto__":{"polluted":1}}');
    expect(Object.entries(problems(config)).join()).toMatch(/unknown field/);
    expect(problems(JSON.parse('{"provider":"constructor"}')).provider).toMatch(/no provider 'constructor'/);
  });
});

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the config's own syntax for variables.
import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { kinds } from '../../providers/registry.ts';
import { type Config, readConfig } from '../../src/runtime/config.ts';
import { readConfigText } from '../../src/runtime/config-text.ts';
import { loadConfig } from '../../src/runtime/load.ts';
import { StartError } from '../../src/runtime/problems.ts';

type Environment = Record<string, string>;

function read(text: string, environment: Environment = {}): Config {
  const checked = readConfig(text, { environment, kinds });
  if (!checked.ok) throw new Error(JSON.stringify(checked.problems, null, 1));
  return checked.value;
}

function problems(text: string, environment: Environment = {}): Record<string, string> {
  const checked = readConfig(text, { environment, kinds });
  if (checked.ok) return {};
  return Object.fromEntries(checked.problems.map((problem) => [problem.path, problem.message]));
}

const example = new URL('../../config/weir.example.yaml', import.meta.url);

describe('the example config', () => {
  it('loads, and shows every kind there is', async () => {
    const text = await readFile(example, 'utf8');
    const keys = ['POOL_KEY', 'OPENAI_API_KEY', 'AZURE_API_KEY', 'ANTHROPIC_API_KEY', 'ANOTHER_KEY'];
    const config = read(text, Object.fromEntries(keys.map((key) => [key, `value-of-${key}`])));
    const shown = [...config.providers.values()].map((provider) => provider.kind);
    expect(shown.sort()).toEqual([...kinds.keys()].sort());
    expect([...config.routes.keys()]).toEqual(['mini', 'fast', 'safe', 'careful', 'by-tier']);
    expect([...config.ownPrices.keys()]).toEqual(['pool-a', 'another', 'sandbox']);
    expect(config.providers.get('pool-a')?.limits).toEqual({
      concurrency: 256,
      requestsPerMinute: 6_000,
      tokensPerMinute: 2_000_000,
    });
    expect(config.providers.get('pool-a')?.immediate?.members).toHaveLength(2);
  });

  it('names every variable that is not set, at its path', async () => {
    const found = problems(await readFile(example, 'utf8'), { POOL_KEY: 'k' });
    expect(found).toMatchObject({
      'providers.openai.api_key': 'the environment variable OPENAI_API_KEY is not set',
      'providers.azure-eu.api_key': 'the environment variable AZURE_API_KEY is not set',
      'providers.anthropic.api_key': 'the environment variable ANTHROPIC_API_KEY is not set',
      'providers.another.api_key': 'the environment variable ANOTHER_KEY is not set',
    });
    expect(Object.keys(found)).toHaveLength(4);
  });
});

describe('a config file', () => {
  it('may be empty, YAML or JSON', () => {
    for (const text of ['', '# nothing\n', '{}', 'providers:\nroutes:\n']) expect(read(text).providers.size).toBe(0);
    const json =
      '{\n\t"providers": {"s": {"kind": "sandbox", "models": ["${MODEL}"]}},\n\t"settings": {"max_lines": 5}\n}';
    const config = read(json, { MODEL: 'm' });
    expect(config.providers.get('s')?.name).toBe('s');
    expect(config.settings.maxLines).toBe(5);
  });

  it('takes variables in flow style, as parts of a text, and left alone', () => {
    const text = 'a: { key: ${KEY}, list: [${KEY}] }\nb: pre-${KEY}-${KEY}\nc: $${KEY}\nd: "${KEY}"\ne: $KEY\n';
    const { value } = readConfigText(text, { KEY: 'v' }, []);
    expect(value).toEqual({ a: { key: 'v', list: ['v'] }, b: 'pre-v-v', c: '${KEY}', d: 'v', e: '$KEY' });
  });

  it('keeps any value of a variable as it is, without reading it as syntax or as another variable', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (secret) => {
        const values = { KEY: secret, OTHER: 'other' };
        expect(readConfigText('a: {b: ${KEY}}', values, []).value).toEqual({ a: { b: secret } });
      }),
    );
    for (const secret of ['${OTHER}', 'x: y # z', '"]}', '\n- a', '$&', 'null', '1']) {
      expect(readConfigText('a: ${KEY}', { KEY: secret, OTHER: 'o' }, []).value).toEqual({ a: secret });
    }
  });

  it('is refused with every problem at once, each with its path', () => {
    const text = `
providers:
  pool-a: { kind: vllm, base_urls: [not a url, 'http://10.0.0.6:8000/v1'], modles: [x], limits: { concurency: 5 } }
  azure: { kind: azure, endpoint: 'https://x.openai.azure.com', api_key: k, deployments: {} }
  bad/name: { kind: sandbox }
  unknown: { kind: vlm }
  none: {}
  list: []
  priced: { kind: sandbox, price: { gpu_hour: -1 } }
routes:
  mini: { strategy: { mode: loadbalance }, targets: [{ provider: opnai }, { provider: pool-a, cb_config: { failure_threshold: 3 } }] }
  second: { provider: nobody }
  'a b': { provider: pool-a }
setings: {}
settings: { max_lines: 0 }
`;
    const found = problems(text.replace('setings: {}\n', ''));
    expect(found['providers.pool-a.base_urls[0]']).toMatch(/URL/);
    expect(found['providers.pool-a.modles']).toContain("Did you mean 'models'");
    expect(found['providers.pool-a.limits.concurency']).toContain("Did you mean 'concurrency'");
    expect(found['providers.azure.deployments']).toMatch(/at least one/);
    expect(found['providers.bad/name']).toMatch(/letters, digits/);
    expect(found['providers.unknown.kind']).toContain("Did you mean 'vllm'");
    expect(found['providers.none.kind']).toContain('vllm, openai');
    expect(found['providers.list']).toMatch(/mapping/);
    expect(found['providers.priced.price.gpu_hour']).toMatch(/USD/);
    expect(found['routes.mini.targets[1].cb_config']).toMatch(/`cb_config`: /);
    expect(found['routes.second.provider']).toContain("no provider 'nobody'");
    expect(found['routes.a b']).toMatch(/letters, digits/);
    expect(found['settings.max_lines']).toMatch(/1/);
    expect(problems(text).setings).toContain("Did you mean 'settings'");
  });

  it('finds providers that routes name even when those have problems of their own', () => {
    expect(problems('providers: { p: { kind: vllm } }\nroutes: { r: { provider: p } }')).toEqual({
      'providers.p.base_urls': 'is required',
    });
  });

  it('is refused with line and column when it is no YAML', () => {
    expect(Object.keys(problems('providers:\n  a: {kind: [}\n'))[0]).toMatch(/^line 2, column \d+$/);
    expect(Object.keys(problems('routes: {}\nroutes: {}\n'))[0]).toMatch(/^line 2, column 1$/);
    expect(problems('- a')['']).toMatch(/object/);
    expect(problems('just text')['']).toMatch(/object/);
  });

  it('cannot be blown up by aliases', () => {
    const rows = Array.from(
      { length: 12 },
      (_, row) => `k${row}: &a${row} [${`*a${row - 1}, `.repeat(12).slice(0, -2)}]`,
    );
    const text = rows.join('\n').replace(/k0: .*/, 'k0: &a0 [x]');
    expect(problems(text)['']).toMatch(/anchors/);
  });

  it('never repeats the value of a variable in a problem', () => {
    const secret = 'sk-canary-0123456789';
    const texts = [
      'providers: { openai: { kind: openai, api_key: "${KEY} with spaces" } }',
      'providers: { pool: { kind: vllm, base_urls: ["${KEY}"] } }',
      'providers: { x: { kind: "${KEY}" } }',
      'routes: { r: { provider: "${KEY}" } }',
      'routes: { r: { strategy: { mode: conditional, default: "${KEY}", conditions: [{query: {a: 1}, then: "${KEY}"}] }, targets: [{name: x}] } }',
      'providers: { a: { kind: azure, endpoint: "${KEY}", deployments: { m: "${KEY} " } } }',
      'providers: { s: { kind: sandbox, latency_ms: "${KEY}", models: ["${KEY}"] } }',
      'settings: { max_lines: "${KEY}" }',
      'providers: ${KEY}',
    ];
    for (const text of texts) {
      const found = problems(text, { KEY: secret });
      expect(Object.keys(found).length, text).toBeGreaterThan(0);
      expect(JSON.stringify(found)).not.toContain('canary');
    }
  });
});

describe('hosts that webhooks may reach', () => {
  it('are names or addresses without a port', () => {
    const config = read('webhooks: { allow_hosts: [Hooks.Local, 10.0.0.7, "::1"] }');
    expect([...config.webhookHosts]).toEqual(['hooks.local', '10.0.0.7', '::1']);
    expect([...read('providers: {}').webhookHosts]).toEqual([]);
    expect(problems('webhooks: { allow_hosts: ["http://a/b"], all: true }')).toMatchObject({
      'webhooks.allow_hosts[0]': expect.stringContaining('without a port'),
      'webhooks.all': expect.stringContaining('unknown field'),
    });
  });
});

describe('starting', () => {
  const load = (environment: Environment, files: Record<string, string>) =>
    loadConfig({ environment, kinds, readText: (path) => Promise.resolve(files[path] ?? null) });

  it('works without a config file', async () => {
    expect((await load({}, {})).config.providers.size).toBe(0);
  });

  it('reads the default file, or the one that is named', async () => {
    const files = {
      'config/weir.yaml': 'providers: { a: { kind: sandbox } }',
      'other.yaml': 'providers: { b: { kind: sandbox } }',
    };
    expect([...(await load({}, files)).config.providers.keys()]).toEqual(['a']);
    expect([...(await load({ WEIR_CONFIG: 'other.yaml' }, files)).config.providers.keys()]).toEqual(['b']);
  });

  it('is refused with the problems of environment and file together', async () => {
    const started = load({ WEIR_PORT: 'x' }, { 'config/weir.yaml': 'providers: { a: { kind: nothing } }\nroutez: {}' });
    await expect(started).rejects.toThrow(StartError);
    await expect(started).rejects.toThrow(
      /2 problems[\s\S]*WEIR_PORT: [\s\S]*config\/weir\.yaml: routez: unknown field/,
    );
  });

  it('is refused when the file that is named is not there', async () => {
    await expect(load({ WEIR_CONFIG: 'absent.yaml' }, {})).rejects.toThrow(/WEIR_CONFIG: there is no such file/);
  });
});

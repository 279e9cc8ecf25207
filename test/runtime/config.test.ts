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

async function read(text: string, environment: Environment = {}): Promise<Config> {
  const checked = await readConfig(text, { environment, kinds });
  if (!checked.ok) throw new Error(JSON.stringify(checked.problems, null, 1));
  return checked.value;
}

async function problems(text: string, environment: Environment = {}): Promise<Record<string, string>> {
  const checked = await readConfig(text, { environment, kinds });
  if (checked.ok) return {};
  return Object.fromEntries(checked.problems.map((problem) => [problem.path, problem.message]));
}

const example = new URL('../../config/weir.example.yaml', import.meta.url);

describe('the example config', () => {
  it('loads, and shows every kind there is', async () => {
    const text = await readFile(example, 'utf8');
    const keys = ['POOL_KEY', 'OPENAI_API_KEY', 'AZURE_API_KEY', 'ANTHROPIC_API_KEY', 'ANOTHER_KEY'];
    const config = await read(text, Object.fromEntries(keys.map((key) => [key, `value-of-${key}`])));
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
    const found = await problems(await readFile(example, 'utf8'), { POOL_KEY: 'k' });
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
  it('may be empty, YAML or JSON', async () => {
    for (const text of ['', '# nothing\n', '{}', 'providers:\nroutes:\n'])
      expect((await read(text)).providers.size).toBe(0);
    const json =
      '{\n\t"providers": {"s": {"kind": "sandbox", "models": ["${MODEL}"]}},\n\t"settings": {"max_lines": 5}\n}';
    const config = await read(json, { MODEL: 'm' });
    expect(config.providers.get('s')?.name).toBe('s');
    expect(config.settings.maxLines).toBe(5);
  });

  it('takes variables in flow style, as parts of a text, and left alone', async () => {
    const text = 'a: { key: ${KEY}, list: [${KEY}] }\nb: pre-${KEY}-${KEY}\nc: $${KEY}\nd: "${KEY}"\ne: $KEY\n';
    const { value } = await readConfigText(text, { KEY: 'v' }, []);
    expect(value).toEqual({ a: { key: 'v', list: ['v'] }, b: 'pre-v-v', c: '${KEY}', d: 'v', e: '$KEY' });
  });

  it('is read alike as JSON and as YAML', async () => {
    const name = fc.oneof(
      fc.string(),
      fc.constantFrom('a', '__proto__', '${KEY}', '$${KEY}', '<<', '1', 'null', '": "'),
    );
    const any = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        ...[name, fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), fc.constant(null)],
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(name, tie('value'), { maxKeys: 4 }),
      ),
    }));
    await fc.assert(
      fc.asyncProperty(any.value, fc.constantFrom(undefined, '\t', 2), async (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        const [json, yaml] = [text, `${text}\n# YAML`].map((each) => readConfigText(each, { KEY: '{"v": 1}' }, []));
        expect((await json)?.value).toEqual((await yaml)?.value);
      }),
    );
  });

  it('is refused where JSON names a member twice', async () => {
    expect(await problems('{\n"routes": {},\n"routes": {}}')).toEqual({ 'line 3, column 1': expect.any(String) });
    expect(await problems('{"providers": {"a": {"kind": "sandbox", "\\u006bind": "vllm"}}}')).not.toEqual({});
  });

  it('keeps any value of a variable as it is, without reading it as syntax or as another variable', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), async (secret) => {
        const values = { KEY: secret, OTHER: 'other' };
        expect((await readConfigText('a: {b: ${KEY}}', values, [])).value).toEqual({ a: { b: secret } });
      }),
    );
    for (const secret of ['${OTHER}', 'x: y # z', '"]}', '\n- a', '$&', 'null', '1']) {
      expect((await readConfigText('a: ${KEY}', { KEY: secret, OTHER: 'o' }, [])).value).toEqual({ a: secret });
    }
  });

  it('is refused with every problem at once, each with its path', async () => {
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
    const found = await problems(text.replace('setings: {}\n', ''));
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
    expect((await problems(text)).setings).toContain("Did you mean 'settings'");
  });

  it('finds providers that routes name even when those have problems of their own', async () => {
    expect(await problems('providers: { p: { kind: vllm } }\nroutes: { r: { provider: p } }')).toEqual({
      'providers.p.base_urls': 'is required',
    });
  });

  it('is refused with line and column when it is no YAML', async () => {
    expect(Object.keys(await problems('providers:\n  a: {kind: [}\n'))[0]).toMatch(/^line 2, column \d+$/);
    expect(Object.keys(await problems('routes: {}\nroutes: {}\n'))[0]).toMatch(/^line 2, column 1$/);
    expect((await problems('- a'))['']).toMatch(/object/);
    expect((await problems('just text'))['']).toMatch(/object/);
  });

  it('cannot be blown up by aliases', async () => {
    const rows = Array.from(
      { length: 12 },
      (_, row) => `k${row}: &a${row} [${`*a${row - 1}, `.repeat(12).slice(0, -2)}]`,
    );
    const text = rows.join('\n').replace(/k0: .*/, 'k0: &a0 [x]');
    expect((await problems(text))['']).toMatch(/anchors/);
  });

  it('never repeats the value of a variable in a problem', async () => {
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
      const found = await problems(text, { KEY: secret });
      expect(Object.keys(found).length, text).toBeGreaterThan(0);
      expect(JSON.stringify(found)).not.toContain('canary');
    }
  });
});

describe('hosts that webhooks may reach', () => {
  it('are names or addresses without a port', async () => {
    const config = await read('webhooks: { allow_hosts: [Hooks.Local, 10.0.0.7, "::1"] }');
    expect([...config.webhookHosts]).toEqual(['hooks.local', '10.0.0.7', '::1']);
    expect([...(await read('providers: {}')).webhookHosts]).toEqual([]);
    expect(config.webhookProxyResolves).toBe(false);
    expect((await read('webhooks: { proxy_resolves: true }')).webhookProxyResolves).toBe(true);
    expect(await problems('webhooks: { proxy_resolves: "yes" }')).toHaveProperty(['webhooks.proxy_resolves']);
    expect(await problems('webhooks: { allow_hosts: ["http://a/b"], all: true }')).toMatchObject({
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

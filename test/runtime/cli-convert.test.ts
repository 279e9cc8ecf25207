import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { kinds } from '../../providers/registry.ts';
import { PLACEHOLDER_KINDS } from '../../src/runtime/cli/convert/placeholders.ts';
import { main } from '../../src/runtime/cli/main.ts';
import { recordTerminal, runCli } from './cli-terminal.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-convert-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const chat = (customId: string, body: object = {}) => ({
  custom_id: customId,
  method: 'POST',
  url: '/v1/chat/completions',
  body: { model: 'any', max_tokens: 20, messages: [{ role: 'user', content: `Grüße aus ${customId} 🎉` }], ...body },
});

/** Writes a batch file; strings are lines as they are. */
async function writeLines(...lines: (string | object)[]): Promise<string> {
  const path = join(folder, 'requests.jsonl');
  const texts = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line)));
  await writeFile(path, texts.join('\n'));
  return path;
}

async function writeConfig(text: string): Promise<Record<string, string>> {
  const path = join(folder, 'weir.yaml');
  await writeFile(path, text);
  return { WEIR_CONFIG: path };
}

/** Native lines, parsed. */
const parsed = (text: string) =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);

const CLAUDE = 'claude-sonnet-4-5';

describe('weir convert without a config', () => {
  it.each([
    ['openai', 'gpt-4o-mini', { custom_id: 'l-1', method: 'POST', body: { model: 'gpt-4o-mini' } }],
    ['azure', 'gpt-4o-mini', { custom_id: 'l-1', body: { model: 'gpt-4o-mini' } }],
    ['anthropic', CLAUDE, { custom_id: 'l-1', params: { model: CLAUDE, max_tokens: 20 } }],
    [
      'bedrock',
      'us.anthropic.claude-haiku-4-5-20251001-v1:0',
      { recordId: 'l-1', modelInput: { anthropic_version: 'bedrock-2023-05-31', max_tokens: 20 } },
    ],
    ['bedrock', 'us.amazon.nova-lite-v1:0', { recordId: 'l-1', modelInput: { inferenceConfig: { maxTokens: 20 } } }],
    ['vertex', 'gemini-2.5-flash', { request: { generationConfig: { maxOutputTokens: 20 } } }],
    ['openai-compatible', 'llama', { custom_id: 'l-1', body: { model: 'llama', max_tokens: 20 } }],
  ])('shows the lines that %s gets for %s, one for each request', async (kind, model, first) => {
    const file = await writeLines(chat('a'), '', chat('b'), '  ', chat('c\u2028d'));
    const ran = await runCli(['convert', file, '--to', kind, '--model', model]);
    expect(ran.exitCode, ran.notes).toBe(0);
    // Also for readers that take other characters for line ends.
    expect(ran.out.split(/[\n\r\u0085\u2028\u2029]/)).toHaveLength(4);
    const lines = parsed(ran.out);
    expect(lines[0]).toMatchObject(first);
    expect(lines.map((line) => /l-\d+/.exec(JSON.stringify(line))?.[0])).toEqual(['l-1', 'l-3', 'l-5']);
    for (const [index, name] of ['a', 'b', 'c\\u2028d'].entries()) {
      expect(ran.out.split('\n')[index]).toContain(`Grüße aus ${name} 🎉`);
    }
    expect(ran.notes).toContain(`placeholders stand for the settings of ${kind}.`);
    expect(ran.notes).toMatch(/^3 lines \(\d+ B\) converted$/m);
    expect(ran.out).not.toContain('placeholder');
  });

  it.each([
    ['openai', 'gpt-4o-mini'],
    ['azure', 'gpt-4o-mini'],
    ['anthropic', CLAUDE],
    ['vertex', 'gemini-2.5-flash'],
  ])('keeps every digit of large integers for %s', async (kind, model) => {
    const id = 12_345_678_901_234_567_890n;
    const call = `{"id":"c1","type":"function","function":{"name":"f","arguments":"{\\"id\\":${id}}"}}`;
    const messages = `[{"role":"user","content":"x"},{"role":"assistant","content":null,"tool_calls":[${call}]},{"role":"tool","tool_call_id":"c1","content":"ok"}]`;
    const tool = `{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"id":{"type":"integer","maximum":${id}}}}}}`;
    const body = `{"model":"m","max_tokens":20,"messages":${messages},"tools":[${tool}]}`;
    const file = await writeLines(`{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":${body}}`);
    const ran = await runCli(['convert', file, '--to', kind, '--model', model]);
    expect(ran.out.match(/\d{19,}/g)).toEqual([`${id}`, `${id}`]);
  });

  it('knows every kind that has a batch service', () => {
    const without = [...kinds.keys()].filter((kind) => !PLACEHOLDER_KINDS.includes(kind));
    expect(without.toSorted()).toEqual(['sandbox', 'vllm']);
  });

  it('names each line that cannot be converted, with its parameter and the reason, and ends with 1', async () => {
    const file = await writeLines(
      chat('good', { seed: 1 }),
      chat('several', { n: 3 }),
      { ...chat('read'), method: 'GET' },
      { ...chat('vector'), url: '/v1/embeddings', body: { model: 'any', input: 'x' } },
      '{"custom_id": "broken',
      '[]',
      chat('also good', { seed: 2 }),
    );
    const ran = await runCli(['convert', file, '--to', 'anthropic', '--model', CLAUDE]);
    expect(ran.exitCode).toBe(1);
    expect(parsed(ran.out).map((line) => line.custom_id)).toEqual(['l-1', 'l-7']);
    expect(ran.notes).toMatch(/^line 2 \(several\): n: .*no equivalent/m);
    expect(ran.notes).toMatch(/^line 3 \(read\): method: .*must be "POST"/m);
    expect(ran.notes).toMatch(/^line 4 \(vector\): url: .*does not serve \/v1\/embeddings/m);
    expect(ran.notes).toMatch(/^line 5: .*not parseable/m);
    expect(ran.notes).toMatch(/^line 6: .*an array/m);
    expect(ran.notes).toMatch(/^2 lines: seed was left out/m);
    expect(ran.notes).toMatch(/^2 lines \(\d+ B\) converted, 5 refused$/m);
  });

  it('shows the beginning of a custom_id that is too long', async () => {
    const ran = await runCli(['convert', await writeLines(chat('x'.repeat(65_536))), '--to', 'openai', '--model', 'm']);
    expect(ran.notes).toMatch(/^line 1 \(x{79}…\): custom_id: /m);
    expect(ran.notes.length).toBeLessThan(1_000);
  });

  it('refuses what only the immediate API of the provider takes', async () => {
    const tool = { type: 'function', function: { name: 'f', parameters: { type: 'object', properties: {} } } };
    const file = await writeLines(chat('plain'), chat('with a tool', { tools: [tool] }));
    const ran = await runCli(['convert', file, '--to', 'bedrock', '--model', 'us.amazon.nova-lite-v1:0']);
    expect(ran.exitCode).toBe(1);
    expect(parsed(ran.out).map((line) => line.recordId)).toEqual(['l-1']);
    expect(ran.notes).toMatch(/^line 2 \(with a tool\): tools: /m);
  });

  it('gives a summary in JSON, in which nothing but the lines is missing', async () => {
    const file = await writeLines(chat('a', { seed: 1 }), chat('b', { n: 2 }), chat('c', { seed: 3 }));
    const out = join(folder, 'native.jsonl');
    const command = ['convert', file, '--to', 'anthropic', '--model', CLAUDE, '--json'];
    const ran = await runCli(command);
    expect(ran.exitCode).toBe(1);
    const summary = {
      object: 'conversion',
      provider: 'anthropic',
      model: CLAUDE,
      path: null,
      lines: 2,
      refused: 1,
      elsewhere: 0,
      warnings: [{ message: expect.stringContaining('seed'), lines: 2 }],
      refusals: [
        { line: 2, custom_id: 'b', code: 'unsupported_parameter', param: 'n', message: expect.stringContaining("'n'") },
      ],
    };
    expect(JSON.parse(ran.out)).toEqual(summary);
    const kept = await runCli([...command, '--out', out]);
    expect(JSON.parse(kept.out)).toEqual({ ...summary, path: out });
    expect(parsed(await readFile(out, 'utf8')).map((line) => line.custom_id)).toEqual(['l-1', 'l-3']);
  });

  it('writes a file that appears only when it is whole, and never over its own input', async () => {
    const file = await writeLines(chat('a'));
    const out = join(folder, 'native.jsonl');
    const command = ['convert', file, '--to', 'openai', '--model', 'm', '--out'];
    const ran = await runCli([...command, out]);
    expect(ran).toMatchObject({ exitCode: 0, out: '' });
    expect(ran.notes).toContain(`converted to ${out}`);
    expect(parsed(await readFile(out, 'utf8'))).toHaveLength(1);
    const refused = await runCli([...command, join(folder, '.', 'requests.jsonl')]);
    expect(refused.exitCode).toBe(2);
    expect(refused.notes).toContain('would replace the file that is read');
    expect((await readdir(folder)).toSorted()).toEqual(['native.jsonl', 'requests.jsonl']);
  });

  it('stops at Ctrl-C and leaves no file behind', async () => {
    const file = await writeLines(...Array.from({ length: 2_000 }, (_, index) => chat(`r${index}`, { n: 2 })));
    const terminal = recordTerminal({ onNote: (text) => text.startsWith('line 1 ') && terminal.interrupt() });
    const argv = ['convert', file, '--to', 'anthropic', '--model', CLAUDE, '--out', join(folder, 'native.jsonl')];
    expect(await main(argv, terminal)).toBe(130);
    expect(terminal.notesText).not.toContain('line 2000 ');
    expect(await readdir(folder)).toEqual(['requests.jsonl']);
  });

  it('hands large files on in small pieces', async () => {
    const file = await writeLines(
      ...Array.from({ length: 4_000 }, (_, index) => chat(`r${index}`, { user: 'u'.repeat(1_000) })),
    );
    const terminal = recordTerminal();
    const sizes: number[] = [];
    const { write } = terminal.out;
    terminal.out.write = (chunk) => {
      sizes.push(chunk.length);
      return write(chunk);
    };
    expect(await main(['convert', file, '--to', 'openai', '--model', 'm'], terminal)).toBe(0);
    expect(parsed(terminal.outText)).toHaveLength(4_000);
    expect(Math.max(...sizes)).toBeLessThan(128 * 1024);
  });

  it('shows nothing on a terminal that the terminal would obey', async () => {
    const file = await writeLines(
      chat('\u202eevil\u009b2J', { n: 2 }),
      chat('b', { messages: [{ role: 'user', content: '\u202e' }] }),
    );
    const ran = await runCli(['convert', file, '--to', 'anthropic', '--model', CLAUDE], { isTty: true });
    expect(ran.out + ran.notes).not.toMatch(/[\u202e\u009b]/);
    expect(ran.notes).toContain('\\u{202e}evil');
  });
});

describe('weir convert with a config', () => {
  const CONFIG = `
providers:
  west: { kind: azure, endpoint: 'https://west.example.com', api_key: k-west, deployments: { gpt-4o: d-west }, batch: true }
  claude: { kind: anthropic, api_key: k-claude, default_max_tokens: 777 }
  bare: { kind: bedrock, region: us-east-1 }
  pool: { kind: vllm, base_urls: ['http://127.0.0.1:9/v1'] }
routes:
  careful:
    strategy: { mode: fallback }
    override_params: { temperature: 0 }
    targets:
      - { provider: west, model: gpt-4o }
      - { provider: claude, model: ${CLAUDE}, drop_params: [n] }
  by-length:
    strategy:
      mode: conditional
      conditions: [{ query: { params.max_tokens: { $gt: 100 } }, then: long }]
      default: short
    targets:
      - { name: long, provider: west, model: gpt-4o }
      - { name: short, provider: claude, model: ${CLAUDE} }
`;

  it('uses the settings of the provider that is named', async () => {
    const environment = await writeConfig(CONFIG);
    const file = await writeLines(chat('a', { max_tokens: undefined }));
    const azure = await runCli(['convert', file, '--to', 'west', '--model', 'gpt-4o'], { environment });
    expect(azure.exitCode, azure.notes).toBe(0);
    expect(parsed(azure.out)).toMatchObject([{ body: { model: 'd-west' } }]);
    expect(azure.notes).not.toContain('placeholder');
    const claude = await runCli(['convert', file, '--to', 'claude', '--model', CLAUDE], { environment });
    expect(parsed(claude.out)).toMatchObject([{ params: { max_tokens: 777 } }]);
    expect(claude.notes).toContain('1 line: max_tokens was set to 777');
  });

  it('applies the parameters of a route, first or later in it, and takes the model from there', async () => {
    const environment = await writeConfig(CONFIG);
    const file = await writeLines(chat('a', { n: 2, temperature: 1 }));
    const first = await runCli(['convert', file, '--to', 'west', '--route', 'careful'], { environment });
    expect(parsed(first.out)).toMatchObject([{ body: { model: 'd-west', temperature: 0, n: 2 } }]);
    const second = await runCli(['convert', file, '--to', 'claude', '--route', 'careful'], { environment });
    expect(second.exitCode, second.notes).toBe(0);
    expect(parsed(second.out)).toMatchObject([{ params: { model: CLAUDE, temperature: 0 } }]);
  });

  it('counts lines apart that the route sends elsewhere', async () => {
    const environment = await writeConfig(CONFIG);
    const file = await writeLines(chat('a'), chat('b', { max_tokens: 200 }), chat('c'));
    const ran = await runCli(['convert', file, '--to', 'claude', '--route', 'by-length'], { environment });
    expect(ran.exitCode).toBe(0);
    expect(parsed(ran.out).map((line) => line.custom_id)).toEqual(['l-1', 'l-3']);
    expect(ran.notes).toContain('converted, 1 not sent there by the route');
    const other = ['convert', file, '--to', 'claude', '--route', 'by-length', '--model', 'claude-opus-4-5'];
    expect((await runCli(other, { environment })).notes).toContain('3 not sent there by the route');
  });

  it('takes an inline route', async () => {
    const file = await writeLines(chat('a', { n: 2 }));
    const route = JSON.stringify({
      provider: 'anthropic',
      model: CLAUDE,
      drop_params: ['n'],
      override_params: { top_k: 5 },
    });
    const ran = await runCli(['convert', file, '--to', 'anthropic', '--route', route]);
    expect(ran.exitCode, ran.notes).toBe(0);
    expect(parsed(ran.out)).toMatchObject([{ params: { model: CLAUDE, top_k: 5 } }]);
  });

  it('needs no config that works for a kind, but for a provider or a route', async () => {
    const environment = await writeConfig(`providers:\n  mine: { kind: openai, api_key: "\${NOT_SET_HERE}" }\n`);
    const file = await writeLines(chat('a'));
    const kind = await runCli(['convert', file, '--to', 'openai', '--model', 'm'], { environment });
    expect(kind.exitCode, kind.notes).toBe(0);
    expect(kind.notes).toContain('The config cannot be used here');
    for (const argv of [
      ['--to', 'mine', '--model', 'm'],
      ['--to', 'openai', '--route', 'mini'],
    ]) {
      const ran = await runCli(['convert', file, ...argv], { environment });
      expect(ran.exitCode).toBe(2);
      expect(ran.notes).toContain('NOT_SET_HERE is not set');
    }
  });

  it.each([
    [['--to', 'opnai', '--model', 'm'], 'There is no provider and no kind opnai. Did you mean openai?'],
    [
      ['--to', 'vllm', '--model', 'm'],
      'No batch service is known for the kind vllm alone. Name a provider of the config',
    ],
    [['--to', 'pool', '--model', 'm'], 'The provider pool (kind vllm) has no batch service as it is configured.'],
    [['--to', 'bare', '--model', 'm'], 'See config/weir.example.yaml for what its batches need'],
    [['--model', 'm'], '--to is missing'],
    [['--to', 'claude'], '--model is missing'],
    [['--to', 'claude', '--model='], '--model is missing'],
    [['--to', 'claude', '--model', '@west/m'], '--model: model: names another provider'],
    [['--to', 'claude', '--route', 'carefull'], 'The config has no route carefull. Did you mean careful?'],
    [['--to', 'claude', '--route', '{"provider":"cloude"}'], "--route: provider: there is no provider 'cloude'."],
    [['--to', 'claude', '--model', 'm', '--out', 'no/such/folder/out'], 'its folder is missing or read-only'],
    [['--to', 'claude', '--model', 'm', '--out='], '--out needs a file name.'],
  ])('%j ends with 2 and says what to change', async (argv, message) => {
    const environment = await writeConfig(CONFIG);
    const ran = await runCli(['convert', await writeLines(chat('a')), ...argv], { environment });
    expect(ran.notes).toContain(message);
    expect(ran.exitCode).toBe(2);
    expect(ran.out).toBe('');
  });

  it.each([
    ['\n \r\n\n', 'holds no lines'],
    ['PK\u0003\u0004', 'Line 1'],
    ['', 'is empty'],
  ])('refuses a file that holds no requests: %j', async (content, message) => {
    const file = await writeLines(content);
    const ran = await runCli(['convert', file, '--to', 'openai', '--model', 'm']);
    expect(ran.notes).toContain(message);
    expect(ran.exitCode).toBe(2);
  });
});

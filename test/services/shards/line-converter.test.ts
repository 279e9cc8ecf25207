import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Provider } from '../../../providers/contract.ts';
import { FrameReader } from '../../../src/core/request-frame.ts';
import { checkLine, parseRequestLine } from '../../../src/core/validate-input.ts';
import { findProvider } from '../../../src/runtime/cli/convert/find-provider.ts';
import { LineConverter } from '../../../src/services/shards/line-converter.ts';
import { layLine } from '../../../src/services/shards/native-input.ts';

const noRules = { defaults: {}, overrides: {}, drops: [] };
const targets = await Promise.all(
  (
    [
      ['openai', 'gpt-4.1-mini'],
      ['azure', 'gpt-4o-mini'],
      ['bedrock', 'us.amazon.nova-lite-v1:0'],
      ['bedrock', 'amazon.titan-text-express-v1'],
      ['bedrock', 'meta.llama3-8b-instruct-v1:0'],
      ['bedrock', 'openai.gpt-oss-20b-1:0'],
      ['bedrock', 'anthropic.claude-3-haiku-20240307-v1:0'],
      ['bedrock', 'global.anthropic.claude-sonnet-4-6'],
      ['bedrock', 'cohere.embed-english-v3'],
      ['vertex', 'gemini-2.5-flash'],
      ['vertex', 'claude-haiku-4-5'],
      ['vertex', 'text-embedding-005'],
      ['anthropic', 'claude-haiku-4-5'],
    ] as const
  ).map(async ([kind, model]) => {
    const { provider, api } = await findProvider(kind, model, {}, false);
    return { provider, api, model };
  }),
);

/** Pieces of the inside of a JSON string, as clients write them: plain, escaped, odd, and such as look like structure. */
const pieces = fc.constantFrom(
  ...[
    'a',
    'word ',
    ' ',
    '0',
    '.',
    'ü',
    '字',
    '😀',
    '\u00a0',
    '\u0085',
    '\u2028',
    '}',
    '}}',
    '{"body":{',
    '[INST]',
    '</s>',
  ],
  ...[
    '\\n',
    '\\t',
    '\\"',
    '\\\\',
    '\\/',
    '\\u0041',
    '\\u00e9',
    '\\ud83d\\ude00',
    '\\ud800',
    '\\u0000',
    '\\u007f',
    '\\u000a',
  ],
  ...[
    '\\"content\\":\\"',
    '\\"text\\": \\"',
    '\u007f',
    '\u007f\\n0.',
    '<|eot_id|>',
    'data:,',
    '\\\\\\"',
    'n0.',
    'cachePoint',
    'toolConfig',
  ],
);
const text = fc.array(pieces, { maxLength: 12 }).map((list) => `"${list.join('')}"`);
/** A place for a text of its own in each line of the shape; the others are the same in all. */
const HOLE = '\u0001';
const said = fc.oneof({ weight: 5, arbitrary: fc.constant(HOLE) }, text, fc.constantFrom('null', '17', '[]'));
const space = fc.constantFrom('', '', ' ', '\t', '  ');

function object(members: fc.Arbitrary<[name: string, value: string][]>): fc.Arbitrary<string> {
  return fc
    .tuple(members, space, space)
    .map(([list, a, b]) => `{${list.map(([name, value]) => `"${name}"${a}:${b}${value}`).join(`,${b}`)}${a}}`);
}

const part = object(
  fc
    .tuple(fc.constantFrom('text', 'input_text', 'refusal', 'image_url'), said, fc.constantFrom(false, false, true))
    .map(([type, value, isCached]): [string, string][] => [
      ['type', `"${type}"`],
      [type === 'refusal' ? 'refusal' : 'text', value],
      ...(isCached ? ([['cache_control', '{"type":"ephemeral"}']] as [string, string][]) : []),
    ]),
);
const content = fc.oneof(
  { weight: 4, arbitrary: said },
  fc.array(part, { maxLength: 3 }).map((list) => `[${list.join(',')}]`),
);
const call =
  '[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\\"content\\":\\"x\\",\\"text\\":\\"y\\"}"}}]';
const message = object(
  fc
    .tuple(
      fc.constantFrom('user', 'user', 'user', 'system', 'developer', 'assistant', 'tool', 'nobody'),
      content,
      fc.constantFrom('none', 'none', 'none', 'name', 'tool_calls', 'twice', 'cache_control'),
    )
    .map(([role, value, extra]): [string, string][] => [
      ['role', `"${role}"`],
      ['content', value],
      ...(role === 'tool' ? ([['tool_call_id', '"c1"']] as [string, string][]) : []),
      ...(extra === 'name' ? ([['name', '"n"']] as [string, string][]) : []),
      ...(extra === 'tool_calls' ? ([['tool_calls', call]] as [string, string][]) : []),
      ...(extra === 'twice' ? ([['content', '"again"']] as [string, string][]) : []),
      ...(extra === 'cache_control' ? ([['cache_control', '{"type":"ephemeral"}']] as [string, string][]) : []),
    ]),
);
const extras = fc.subarray<[string, string]>(
  [
    ['max_tokens', '64'],
    ['temperature', '0.2'],
    ['top_p', '1e0'],
    ['stop', '["a","\\n"]'],
    ['user', '"u@x"'],
    ['metadata', `{"content":${HOLE},"text":"x"}`],
    ['seed', '12345678901234567890'],
    [
      'response_format',
      '{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","description":{"text":"abc"}}}}',
    ],
    [
      'tools',
      '[{"type":"function","function":{"name":"f","description":"d","parameters":{"properties":{"text":{"type":"string","content":"abc"}}}}}]',
    ],
    ['instructions', '"be brief"'],
    ['unknown', '1'],
  ],
  { maxLength: 3 },
);
const messages = fc.array(message, { maxLength: 4 }).map((list) => `[${list.join(',')}]`);
const endpoints = fc.constantFrom(
  '/v1/chat/completions',
  '/v1/chat/completions',
  '/v1/responses',
  '/v1/completions',
  '/v1/embeddings',
);
const shape = fc.tuple(endpoints, messages, said, extras).chain(([url, list, one, more]) => {
  const input: [string, string] =
    url === '/v1/chat/completions'
      ? ['messages', list]
      : url === '/v1/completions'
        ? ['prompt', one]
        : ['input', url === '/v1/responses' ? list : one];
  return object(
    fc.shuffledSubarray<[string, string]>([['model', '"m"'], input, ...more], { minLength: more.length + 2 }),
  ).map((body) => ({ url, body }));
});

function lineOf(url: string, body: string, texts: readonly string[]): Buffer {
  let next = 0;
  const filled = body.replaceAll(HOLE, () => texts[next++ % texts.length] as string);
  return Buffer.from(`{"custom_id": "r-1","method":"POST","url":"${url}","body":${filled}}`);
}

type Target = (typeof targets)[number];

/** All that is made of a line, with the native line as JSON. */
function outcomeOf({ provider, api }: Target, converted: ReturnType<Provider['convert']>) {
  if (!converted.ok) return converted;
  const native = layLine(provider.name, api, 4, converted.request);
  const { body, alike: _alike, ...request } = converted.request;
  if (typeof native === 'string') expect(native).not.toMatch(/[\u0085\u2028\u2029]/);
  const laid = typeof native === 'string' ? parseLines(native) : native;
  return { ...converted, request: { ...request, body: JSON.parse(body) as unknown }, laid };
}

function parseLines(text: string): unknown[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
}

/** Converts lines by their shapes and each by itself, which must come to the same; how many had a frame and a shape that came before. */
function convertBothWays(target: Target, lines: readonly Buffer[]): { framed: number; shared: number } {
  const reader = new FrameReader();
  const converter = new LineConverter(target.provider, { model: target.model, params: noRules });
  const shapes = new Set<object>();
  const count = { framed: 0, shared: 0 };
  for (const bytes of lines) {
    if (checkLine(bytes, 1).head === undefined) continue;
    const parsed = parseRequestLine(bytes);
    const request = reader.read(bytes);
    expect({ customId: request.customId, endpoint: request.endpoint, body: request.body }).toEqual(parsed);
    if (request.frame !== undefined) {
      count.framed += 1;
      if (shapes.has(request.frame.shape)) count.shared += 1;
      shapes.add(request.frame.shape);
    }
    const alone = outcomeOf(target, target.provider.convert(parsed, target.model));
    expect(outcomeOf(target, converter.convert(request))).toEqual(alone);
  }
  return count;
}

/** The same for every target. */
function convertForAll(lines: readonly Buffer[]): { framed: number; shared: number } {
  return targets.map((target) => convertBothWays(target, lines))[0] ?? { framed: 0, shared: 0 };
}

const chatUrl = '/v1/chat/completions';

function chatLines(texts: readonly string[], more = '', role = 'user'): Buffer[] {
  const before = role === 'user' ? '' : '{"role":"user","content":"hi"},';
  return texts.map((one) =>
    lineOf(chatUrl, `{"model":"m","messages":[${before}{"role":"${role}","content":${HOLE}}]${more}}`, [one]),
  );
}

describe('lines that are converted by their shape', () => {
  it('become what each becomes by itself, for every provider and whatever they say', () => {
    const count = { framed: 0, shared: 0 };
    const several = fc.array(fc.array(text, { minLength: 1, maxLength: 4 }), { minLength: 2, maxLength: 3 });
    fc.assert(
      fc.property(shape, several, fc.constantFrom(...targets), ({ url, body }, said, target) => {
        const { framed, shared } = convertBothWays(
          target,
          said.map((texts) => lineOf(url, body, texts)),
        );
        count.framed += framed;
        count.shared += shared;
      }),
      { numRuns: 2000 },
    );
    expect(count.framed).toBeGreaterThan(1000);
    expect(count.shared).toBeGreaterThan(200);
  });

  it('share their shape whatever is escaped in their texts', () => {
    expect(convertForAll(chatLines(['"plain"', '"say \\"hi\\"."', '"a\\\\b \\\\\\"c."', '"x}}."']))).toEqual({
      framed: 4,
      shared: 3,
    });
  });

  it('keep the white space that a provider cuts off the end of an answer begun', () => {
    const ends = ['x', 'x ', 'x\\n', 'x\\t', 'x\\u0020', 'x\\u000a', 'x\u00a0', 'x\\u3000', 'x\\\\n', 'x\\"', 'x'];
    expect(
      convertForAll(
        chatLines(
          ends.map((one) => `"${one}"`),
          '',
          'assistant',
        ),
      ).framed,
    ).toBe(ends.length);
  });

  it('keep what looks like the mark of a text', () => {
    for (const mark of ['\\u007f\\n0.', '\\u007F\\n0.', '\u007f\\n0.']) {
      convertForAll(chatLines(['"one"', '"two"'], `,"stop":"${mark}"`));
      convertForAll(chatLines([`" ${mark}"`, '"two"']));
      convertForAll(chatLines([`"${mark}"`, '"two"']));
    }
  });

  it('keep texts that stand in a schema which a provider wants as text', () => {
    const schema = `{"type":"object","description":{"text":"say \\"hi\\".","content":"def"}}`;
    const format = `,"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":${schema}}}`;
    expect(convertForAll(chatLines(['"one"', '"two"'], format)).framed).toBe(2);
  });

  it('are parsed where members stand behind the body, or in another order', () => {
    const head = '"custom_id":"a","method":"POST","url":"/v1/chat/completions"';
    const body = '"body":{"model":"m","messages":[{"role":"user","content":"hi"}]}';
    const lines = [
      `{${head},${body},"body":{"model":"m2","messages":[]}}`,
      `{${head},${body},"custom_id":"b","x":{}}`,
      `{${head},${body},"custom_id":"b"}`,
      `{${body},${head}}`,
      `{"custom_id":"c","method":"POST","url":"/v1/chat/completions","x":{${body}},${body}}`,
      `{"custom_id":"a\\u0062","method":"POST","url":"/v1/chat/completions",${body}}`,
    ];
    expect(convertForAll(lines.map((line) => Buffer.from(line))).framed).toBe(0);
  });

  it('are parsed from where they turn out to be of ever new shapes, until the end', () => {
    const lines = Array.from({ length: 300 }, (_, index) => chatLines(['"x"'], `,"seed":${index}`)).flat();
    const reader = new FrameReader();
    const framed = lines.filter((line) => reader.read(line).frame !== undefined);
    expect(framed.length).toBeGreaterThan(50);
    expect(framed.length).toBeLessThan(150);
  });

  it('lose their frame when a copy of them gets another body', () => {
    const [line = Buffer.alloc(0)] = chatLines(['"x"']);
    const read = new FrameReader().read(line);
    expect(read.frame).toBeDefined();
    expect({ ...read, body: {} }.frame).toBeUndefined();
  });
});

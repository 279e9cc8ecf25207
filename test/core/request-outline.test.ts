import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ConvertRules, convertToOpenAI } from '../../providers/shared/openai-convert.ts';
import { RequestReader } from '../../src/core/request-outline.ts';
import { estimateLineTokens, estimateTokens } from '../../src/core/tokens.ts';
import { checkCallBody, checkLine, parseRequestLine } from '../../src/core/validate-input.ts';
import { ENDPOINTS, type Endpoint } from '../../src/protocol/endpoint.ts';

/** One reader for all lines, as a segment has: what it keeps of one must not touch the next. */
const reader = new RequestReader();
const encode = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const rules: ConvertRules = {
  provider: 'pool',
  endpoints: ['/v1/chat/completions', '/v1/embeddings'],
  refused: new Set(['top_k']),
  ignored: new Set(['user']),
  renamed: new Map([['seed', 'random_seed']]),
  serviceTiers: ['auto'],
};

const names = fc.constantFrom(
  ...['temperature', 'max_tokens', 'max_completion_tokens', 'max_output_tokens', 'tools', 'ü€𝄞', 'a"b', '__proto__'],
  ...[
    'stream',
    'stream_options',
    'background',
    'service_tier',
    'top_k',
    'user',
    'seed',
    'base_url',
    'input',
    'prompt',
    'n',
    'best_of',
  ],
);
const values = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.integer(),
  fc.double(),
  fc.constantFrom(null, true, false, '64', 'auto', 'flex'),
);
const body = fc
  .tuple(fc.dictionary(names, values, { maxKeys: 5 }), fc.constantFrom('m', 'gpt-4o-mini', 'ü', 'a"b'), fc.string())
  .map(([rest, model, content]) => ({ ...rest, model, messages: [{ role: 'user', content }], input: 'x' }));

function line(request: object, url = '/v1/chat/completions', customId = 'r-1') {
  return encode({ custom_id: customId, method: 'POST', url, body: request });
}

/** Converts a line as a segment does, and as from the parsed line. */
function bothWays(bytes: Uint8Array, model: string) {
  const read = reader.read(bytes);
  return {
    read,
    lean: convertToOpenAI(read, model, rules),
    full: convertToOpenAI(parseRequestLine(bytes), model, rules),
  };
}

describe('a request whose body stays bytes', () => {
  it('says and becomes what the parsed one does, whatever its members are', () => {
    let forwarded = 0;
    fc.assert(
      fc.property(body, fc.constantFrom('m', 'other "model"'), fc.boolean(), (request, model, embeds) => {
        const bytes = line(request, embeds ? '/v1/embeddings' : undefined);
        if (checkLine(bytes, 1).head === undefined) return;
        const { read, lean, full } = bothWays(bytes, model);
        const parsed = parseRequestLine(bytes);
        expect({ customId: read.customId, endpoint: read.endpoint, body: read.body }).toEqual(parsed);
        expect(estimateLineTokens(read, bytes.length)).toBe(estimateTokens(parsed.body, bytes.length));
        if (!lean.ok || !full.ok) {
          expect(lean).toEqual(full);
          return;
        }
        if (lean.request.bytes !== undefined) {
          forwarded += 1;
          expect(Buffer.from(lean.request.bytes).toString()).toBe(lean.request.body);
        }
        expect(JSON.parse(lean.request.body)).toEqual(JSON.parse(full.request.body));
        expect(lean.warnings).toEqual(full.warnings);
      }),
      { numRuns: 2000 },
    );
    expect(forwarded).toBeGreaterThan(100);
  });

  it('goes on byte for byte when it names the target’s model, numbers beyond a double included', () => {
    const text = '{ "messages": [{"role":"user","content":"ü"}], "seed2": 12345678901234567890, "model": "m" }';
    const bytes = Buffer.from(`{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":${text}}`);
    const same = bothWays(bytes, 'm').lean;
    const other = bothWays(bytes, 'ü').lean;
    if (!same.ok || !other.ok) throw new Error('was refused');
    expect(Buffer.from(same.request.bytes ?? []).toString()).toBe(text);
    expect(Buffer.from(other.request.bytes ?? []).toString()).toBe(text.replace('"m"', '"ü"'));
  });

  it('of a single call says what the parsed one does, whatever is odd about it', () => {
    let plain = 0;
    const odd = fc.constantFrom(
      '',
      ' ',
      '\n',
      ' ',
      '\ufeff',
      'x',
      ',"n":1e400',
      ',"n":-0.5e-3',
      `,"deep":${'['.repeat(600)}${']'.repeat(600)}`,
    );
    const models = fc.constantFrom('m', 'm', 'gpt-4o-mini', 'other', 'ü', 'a"b', '', 7, null, 'm'.repeat(600));
    const inputs = fc.constantFrom('text', 'text', ['a'], ['b'], null, undefined, {});
    const endpoints = fc.constantFrom<Endpoint[]>(...ENDPOINTS);
    fc.assert(
      fc.property(body, models, inputs, endpoints, odd, (fields, model, input, endpoint, addition) => {
        const rest = input === 'text' ? fields : { ...fields, messages: input, input, prompt: input };
        const text = JSON.stringify({ ...rest, model });
        const raw = addition.startsWith(',') ? text.replace(/\}$/, `${addition}}`) : addition + text + addition;
        const bytes = Buffer.from(`..${raw}`).subarray(2);
        const read = reader.readBody('req_1', endpoint, bytes);
        if (read === null) return;
        const parsed = JSON.parse(raw) as Record<string, unknown>;
        const { stream: _stream, stream_options: _options, background: _later, ...checked } = parsed;
        plain += 1;
        expect(checkCallBody(checked, endpoint)).toBeNull();
        expect([read.model, read.request.body]).toEqual([parsed.model, parsed]);
        expect(read.request.customId).toBe('req_1');
        expect(estimateLineTokens(read.request, bytes.length)).toBe(estimateTokens(parsed, bytes.length));
        const lean = convertToOpenAI(read.request, 'other', rules);
        const full = convertToOpenAI({ customId: 'req_1', endpoint, body: parsed }, 'other', rules);
        if (!lean.ok || !full.ok) expect(lean).toEqual(full);
        else expect(JSON.parse(lean.request.body)).toEqual(JSON.parse(full.request.body));
      }),
      { numRuns: 2000 },
    );
    expect(plain).toBeGreaterThan(30);
    const long = { model: 'm', messages: [{ role: 'user', content: 'word '.repeat(20_000) }] };
    expect(reader.readBody('r', '/v1/chat/completions', encode(long))?.request.body).toEqual(long);
  });

  it('of a single call names its own model, also after one of another model that is as long', () => {
    const modelOf = (model: string) =>
      reader.readBody('r', '/v1/chat/completions', encode({ model, messages: [] }))?.model;
    expect(['p0/m', 'p1/m', 'p1/m', 'p0/m'].map(modelOf)).toEqual(['p0/m', 'p1/m', 'p1/m', 'p0/m']);
  });

  it('loses its bytes when a copy of it gets another body', () => {
    const read = reader.read(line({ model: 'm', messages: [] }));
    expect(read.outline).toBeDefined();
    expect({ ...read, body: {} }.outline).toBeUndefined();
    const converted = convertToOpenAI(read, 'm', rules);
    if (!converted.ok) throw new Error('was refused');
    expect(converted.request.bytes).toBeDefined();
    expect({ ...converted.request, body: '{}' }.bytes).toBeUndefined();
  });

  it('is parsed when a name stands twice, is escaped, or names too much', () => {
    const of = (text: string) =>
      reader.read(Buffer.from(`{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":${text}}`));
    const twice = of('{"model":"a","model":"b","messages":[]}');
    expect([twice.outline, twice.body.model]).toEqual([undefined, 'b']);
    const escaped = of('{"model":"a","base\\u005furl":"http://elsewhere","messages":[]}');
    expect(escaped.outline).toBeUndefined();
    expect(convertToOpenAI(escaped, 'm', rules).ok).toBe(false);
    const many = Object.fromEntries(Array.from({ length: 80 }, (_, index) => [`x${index}`, index]));
    expect(of(JSON.stringify({ model: 'a', messages: [], ...many })).outline).toBeUndefined();
    const after = of('{"model":"a","messages":[]}');
    expect(after.outline?.names).toEqual(['model', 'messages']);
  });

  it('keeps its own names when the next line has others', () => {
    const first = reader.read(line({ model: 'm', messages: [] }));
    const second = reader.read(line({ model: 'm', messages: [], temperature: 1, top_p: 1 }));
    const third = reader.read(line({ model: 'm', messages: [] }));
    expect(first.outline?.names).toEqual(['model', 'messages']);
    expect(second.outline?.names).toEqual(['model', 'messages', 'temperature', 'top_p']);
    expect(third.outline?.names).toEqual(['model', 'messages']);
  });
});

import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IdHash } from '../../src/core/id-hash.ts';
import { JsonCursor } from '../../src/core/json-cursor.ts';
import { findBadValue } from '../../src/core/json-limits.ts';
import { RequestScanner } from '../../src/core/request-scan.ts';
import { checkLine } from '../../src/core/validate-input.ts';

/** One scanner for all lines, as a file has: what it keeps of one must not touch the next. */
const shared = new RequestScanner();
const key = randomBytes(8);

/** Scans a line that stands somewhere in a larger buffer, whose other bytes would be valid JSON. */
function scan(bytes: Uint8Array, before = 3, scanner = shared) {
  const buffer = Buffer.concat([Buffer.alloc(before, 0x7b), bytes, Buffer.from('"}]}}')]);
  if (!scanner.scan(buffer, before, before + bytes.length)) return null;
  const hash = new IdHash(key);
  scanner.hashId(hash);
  const { model, endpoint } = scanner;
  return { head: { customId: scanner.customId(), model, endpoint }, hash: [hash.high, hash.low] };
}

/** What is taken is what the full check takes, with the same head; the rest is left to it. */
function expectSound(bytes: Uint8Array, before?: number): boolean {
  const scanned = scan(bytes, before);
  if (scanned === null) return false;
  const checked = checkLine(bytes, 1);
  expect(checked.head, Buffer.from(bytes).toString()).toEqual(scanned.head);
  const hash = new IdHash(key);
  hash.ofText(scanned.head.customId);
  expect(scanned.hash).toEqual([hash.high, hash.low]);
  return true;
}

const good = {
  custom_id: 'request-1',
  method: 'POST',
  url: '/v1/chat/completions',
  body: { model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'Hi there, how are you today?' }], max_tokens: 64 },
};
const encode = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

const word = fc.constantFrom(
  ...['custom_id', 'method', 'url', 'body', 'model', 'messages', 'prompt', 'input', 'stream', 'background', 'x', ''],
  ...['POST', '/v1/embeddings', '/v1/responses', '/chat/completions', 'ü€𝄞', 'a\\b', 'tab\t', '\u2028', '__proto__'],
);
const leaf = fc.oneof(word, fc.string({ unit: 'binary' }), fc.double(), fc.integer(), fc.boolean(), fc.constant(null));
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(word, tie('value'), { maxKeys: 6 }),
  ),
}));
const usually = (common: unknown, rare: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 9, arbitrary: fc.constant(common) }, rare);
const body = fc.record(
  {
    model: usually('m', value),
    messages: usually([], value),
    prompt: value,
    input: value,
    stream: usually(false, value),
    background: usually(null, value),
    x: value,
  },
  { requiredKeys: ['model', 'messages'] },
);
const request = fc.record(
  {
    custom_id: fc.oneof({ weight: 9, arbitrary: fc.string({ unit: 'binary', minLength: 1, maxLength: 12 }) }, value),
    method: usually('POST', word),
    url: usually('/v1/chat/completions', word),
    body: fc.oneof({ weight: 9, arbitrary: body }, value),
    x: value,
  },
  { requiredKeys: ['custom_id', 'method', 'url', 'body'] },
);
/** A byte that is put at a place, or in place of what is there, or -1 to take it away. */
const damage = fc.tuple(
  fc.nat(),
  fc.oneof(
    fc.constant(-1),
    fc.constantFrom(...Buffer.from('{}[]",:\\u019eE+-. \n\r\t\0tfn'), 0x80, 0xc3, 0xff),
    fc.nat(255),
  ),
  fc.boolean(),
);

function damaged(bytes: Uint8Array, changes: readonly (readonly [number, number, boolean])[]): Uint8Array {
  const list = [...bytes];
  for (const [place, byte, replaces] of changes) {
    const at = place % (list.length + 1);
    list.splice(at, byte === -1 || replaces ? 1 : 0, ...(byte === -1 ? [] : [byte]));
  }
  return Uint8Array.from(list);
}

describe('RequestScanner', () => {
  it('takes usual requests, wherever they stand in a buffer, in any spacing and script', () => {
    for (let before = 0; before < 8; before++) {
      expect(expectSound(encode(good), before)).toBe(true);
      expect(expectSound(Buffer.from(JSON.stringify(good, null, 1).replaceAll('\n', ' \t\r')), before)).toBe(true);
      expect(expectSound(encode({ ...good, custom_id: 'ü€𝄞-1', x: '日本語のテキスト\u2028' }), before)).toBe(true);
      const escaped = { ...good, x: ['a"b\\c/\b\f\n\r\t', 'line\nfeed', 'tail\\'], y: [-0.5, 1e21, 1.5e-7, 0, -12] };
      expect(expectSound(encode(escaped), before)).toBe(true);
    }
    for (const [url, input] of [
      ['/v1/completions', { prompt: ['x'] }],
      ['/v1/embeddings', { input: [[1, 2]] }],
      ['/v1/responses', { prompt: { id: 'p' } }],
      ['/moderations', { input: 'x', stream: null, background: false }],
    ] as const) {
      expect(expectSound(encode({ ...good, url, body: { model: 'm', ...input } }))).toBe(true);
    }
  });

  it('takes nothing that the full check would refuse or read otherwise', () => {
    const taken = { whole: 0, damaged: 0 };
    fc.assert(
      fc.property(request, fc.array(damage, { maxLength: 3 }), fc.nat(7), (line, changes, before) => {
        const bytes = encode(line);
        if (expectSound(bytes, before)) taken.whole += 1;
        if (expectSound(damaged(bytes, changes), before)) taken.damaged += 1;
      }),
      { numRuns: 5_000 },
    );
    // Else nothing would have been compared.
    expect(taken.whole).toBeGreaterThan(300);
    expect(taken.damaged).toBeGreaterThan(50);
  });

  it('finds in a line what it would find without those before it, however alike they begin', () => {
    const inputs = fc.constantFrom<object>(
      { messages: [] },
      { prompt: 'x', messages: [1] },
      { stream: false, messages: [{ role: 'user', content: 'a "word"' }], max_tokens: 5 },
      { messages: 'none' },
      { é: 1, input: 'x' },
      { messages: null, prompt: 1 },
      { input: ['a'], background: false },
    );
    const url = fc.constantFrom('/v1/chat/completions', '/v1/embeddings', '/v1/responses', '/v1/completions', '/none');
    const alike = fc
      .tuple(fc.constantFrom('a', 'id-22', 'ü', 'x"y', ''), url, fc.constantFrom('m', 'm2', 'é', ''), inputs, fc.nat(3))
      .map(([custom_id, url, model, input, order]) => {
        const members = [{ custom_id }, { method: 'POST' }, { url }, { body: { model, ...input } }];
        return encode(Object.assign({}, ...members.slice(order), ...members.slice(0, order)));
      });
    const lines = fc.array(fc.tuple(alike, fc.array(damage, { maxLength: 1 }), fc.nat(5)), { minLength: 2 });
    let [taken, refused] = [0, 0];
    fc.assert(
      fc.property(lines, fc.nat(7), (list, before) => {
        const scanner = new RequestScanner();
        for (const [whole, changes, times] of list) {
          for (const bytes of [...Array(times).fill(whole), damaged(whole, changes)] as Uint8Array[]) {
            const found = scan(bytes, before, scanner);
            expect(found).toEqual(scan(bytes, before, new RequestScanner()));
            if (found === null) refused += 1;
            else taken += 1;
          }
        }
      }),
      { numRuns: 1_500 },
    );
    expect(Math.min(taken, refused)).toBeGreaterThan(1_000);
  });

  it('takes nothing that one changed byte makes invalid, at any place of a line', () => {
    const bytes = encode({ ...good, custom_id: 'é', x: [-1.5e2, 'a\nb', '\ud800'] });
    for (let place = 0; place < bytes.length; place++) {
      for (let byte = 0; byte < 256; byte++) {
        const changed = Uint8Array.from(bytes);
        changed[place] = byte;
        expectSound(changed);
      }
    }
    for (let end = 0; end < bytes.length; end++) expect(scan(bytes.subarray(0, end))).toBeNull();
  }, 60_000);

  it('reads the last of members that stand twice, as JSON.parse does', () => {
    const text = JSON.stringify(good);
    const twice = (name: string, first: string) =>
      Buffer.from(text.replace(`"${name}":`, `"${name}":${first},"${name}":`));
    for (const [name, first] of [
      ['custom_id', '"other"'],
      ['url', '"/v1/embeddings"'],
      ['body', '{"model":"other","prompt":1}'],
      ['model', '"other"'],
      ['messages', 'null'],
    ] as const) {
      expect(expectSound(twice(name, first))).toBe(true);
    }
    expect(scan(Buffer.from(text.replace('}}', '},"body":{"model":"m"}}')))).toBeNull();
  });

  it.each([
    ['an id that is too long', { custom_id: 'x'.repeat(1_025) }],
    ['a model that is too long', { body: { ...good.body, model: 'm'.repeat(513) } }],
    ['a stream', { body: { ...good.body, stream: true } }],
    ['a background response', { body: { ...good.body, background: true } }],
    ['an escaped member name', { body: { ...good.body, 'strea\\u006d': true } }],
  ])('leaves %s to the full check', (_name, change) => {
    expect(scan(Buffer.from(JSON.stringify({ ...good, ...change }).replaceAll('\\\\', '\\')))).toBeNull();
  });
});

describe('JsonCursor', () => {
  const cursor = new JsonCursor();
  const takes = (bytes: Uint8Array): boolean => {
    cursor.open(bytes, 0, bytes.length);
    return cursor.value(0) && cursor.ends();
  };

  it('takes only what JSON.parse takes and no provider reads otherwise', () => {
    let taken = 0;
    const any = fc.oneof(
      fc.tuple(value, fc.array(damage, { maxLength: 2 })).map(([json, changes]) => damaged(encode(json), changes)),
      fc.string({ unit: fc.constantFrom(...Array.from('-+.0123eE9 "ntrue')) }).map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(any, (bytes) => {
        if (!takes(bytes)) return;
        taken += 1;
        const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
        expect(findBadValue({ value: JSON.parse(text) })).toBeNull();
      }),
      { numRuns: 5_000 },
    );
    expect(taken).toBeGreaterThan(300);
  });

  it.each(['0', '-0', '10', '0.5', '-1.25e+10', '1E9', '""', '"\\u00e9"', '[]', '{}', ' [1 , {"a" : [ ] } ] '])(
    'takes %s',
    (text) => expect(takes(Buffer.from(text))).toBe(true),
  );

  it.each([
    ...['', ' ', '01', '-', '+1', '.5', '1.', '1e', '1e+', '0x1', '1e400', '9'.repeat(400), 'nul', 'truE', 'NaN'],
    ...[
      '"',
      '"\\"',
      '"\\x"',
      '"\\u12"',
      '"\t"',
      '[1,]',
      '[,]',
      '[1 2]',
      '{"a"}',
      '{"a":}',
      '{"a":1,}',
      '{a:1}',
      '[',
      '{',
    ],
    ...['1 2', '"a""b"', ']', '['.repeat(1_000), '\ufeff1'],
  ])('leaves %j', (text) => expect(takes(Buffer.from(text))).toBe(false));
});

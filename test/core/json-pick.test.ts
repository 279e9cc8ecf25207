import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JsonCursor } from '../../src/core/json-cursor.ts';
import { Items, Members, pick, Span, Word } from '../../src/core/json-pick.ts';

/** A reader of lines, as it is before the first of them. */
function newReader() {
  const json = new JsonCursor();
  const id = new Span();
  const model = new Word();
  const inner = { text: new Span(), kind: new Word() };
  const items = new Items(2, () => new Members(inner));
  const more = { model, items };
  const line = new Members({ id, more: new Members(more), end: new Span() });
  return (text: string | Uint8Array) => {
    if (!pick(json, Buffer.from(text), line)) return null;
    const { text: last, kind } = inner;
    const words = [model.text, items.count > 0 ? kind.text : null, items.count > 0 ? last.word(json) : null];
    return { words, id: id.word(json), places: [id.to > 0 ? id.to - json.start : 0, json.passedLineEnd, json.utf8] };
  };
}

const word = fc.constantFrom('a', 'ab', 'text', 'm-1', 'ü', '\u2028', '"', '\\', '');
const item = fc.record(
  { type: fc.constantFrom('x', 'y'), text: word, kind: fc.constantFrom('one', 'two', 'ü') },
  { requiredKeys: ['text'] },
);
const more = fc.record(
  {
    at: fc.constantFrom<unknown>(1, 12, null, { ü: [] }),
    model: fc.constantFrom('m-1', 'm-12', 'm-ü'),
    other: fc.constantFrom<unknown>({ deep: [1, { id: 2 }] }, true, 'id'),
    items: fc.array(item, { maxLength: 3 }),
  },
  { requiredKeys: ['model', 'items'] },
);
const line = fc.record(
  { id: word, before: fc.constantFrom<unknown>(0, 'w'.repeat(600), []), more, between: fc.nat(3), end: fc.nat(3) },
  { requiredKeys: ['more'] },
);
type Change = { how: string; at: number; what: string };
const change = fc.record({
  how: fc.constantFrom('put', 'drop', 'replace', 'cut'),
  at: fc.nat(),
  what: fc.constantFrom(...'{}[]",:\\ 1ün\n\r'.split(''), '"id":1,', ',"more":{}', '\\u0069', ' \t'),
});

function changed(text: string, { how, at, what }: Change): string {
  const place = at % text.length;
  if (how === 'cut') return text.slice(0, place);
  return text.slice(0, place) + (how === 'drop' ? '' : what) + text.slice(how === 'put' ? place : place + 1);
}

const writings: ((value: object) => string)[] = [
  ...Array.from({ length: 5 }, () => (value: object) => JSON.stringify(value)),
  (value) => JSON.stringify(value, null, 1),
  (value) => JSON.stringify(Object.fromEntries(Object.entries(value).reverse())),
];
const text = fc
  .tuple(line, fc.constantFrom(...writings), fc.option(change, { freq: 2 }))
  .map(([value, write, odd]) => (odd === null ? write(value) : changed(write(value), odd)));

describe('parts of a line that are picked', () => {
  it('are those that a reader finds who met no line before, whatever came before', () => {
    let [taken, left] = [0, 0];
    fc.assert(
      fc.property(fc.array(text, { minLength: 4, maxLength: 12 }), (texts) => {
        const read = newReader();
        for (const each of texts) {
          const found = read(each);
          expect(found, each).toEqual(newReader()(each));
          if (found === null) left += 1;
          else {
            taken += 1;
            const whole = JSON.parse(each) as { id?: string; more?: { model?: string } };
            expect(found.id, each).toBe(typeof whole.id === 'string' ? whole.id : null);
            expect(found.words[0], each).toBe(whole.more?.model ?? null);
          }
        }
      }),
      { numRuns: 1500 },
    );
    expect(taken).toBeGreaterThan(1000);
    expect(left).toBeGreaterThan(1000);
  });

  it('are whole JSON where the line begins like one before, but with its members in another order', () => {
    const read = newReader();
    const [first, second] = ['{"end":1,"id":"a","more":{}}', '{"id":"a","end":1}'];
    expect(read(first)).not.toBeNull();
    expect(read(second)).not.toBeNull();
    // Each piece was met before, though not behind this one.
    for (const odd of [
      '{"id":"a""end":1}',
      '{"end":1"id":"a"}',
      '{,"id":"a"}',
      '{"id":"a","end":1,"id":"a"}',
      '{"id":"a",}',
    ])
      expect(read(odd), odd).toBeNull();
  });

  it('tell in each line that a line end stands between them', () => {
    const read = newReader();
    for (let time = 0; time < 2; time++) expect(read('{"id":"a",\n"end":1}')?.places).toEqual([9, true, false]);
    expect(read('{"id":"a","end":1}')?.places).toEqual([9, false, false]);
  });

  it('are judged byte by byte where bytes beyond ASCII are damaged', () => {
    const read = newReader();
    const plain = Buffer.from('{"id":"a","more":{"model":"mü","x":"ü"},"end":1}');
    expect(read(plain)?.words[0]).toBe('mü');
    for (const [at, byte] of plain.entries()) {
      if (byte < 0x80) continue;
      const damaged = Buffer.from(plain);
      damaged[at] = 0xff;
      expect(read(damaged), String(at)).toBeNull();
      damaged[at] = 0x20;
      expect(read(damaged), String(at)).toBeNull();
    }
    expect(read(plain)?.words[0]).toBe('mü');
  });
});

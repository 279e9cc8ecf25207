import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { escapeLineSeparators, LineFramer } from '../../src/core/jsonl.ts';
import { LastingLines } from '../../src/core/lasting-lines.ts';

interface Line {
  text: string | null;
  offset: number;
  length: number;
}

function frame(chunks: readonly Uint8Array[], maxLineBytes: number): Line[] {
  const lines: Line[] = [];
  const framer = new LineFramer(maxLineBytes, (bytes, offset, length) => {
    if (bytes !== null) expect(bytes.length).toBe(length);
    lines.push({ text: bytes === null ? null : Buffer.from(bytes).toString('latin1'), offset, length });
  });
  for (const chunk of chunks) {
    const own = new Uint8Array(chunk);
    framer.push(own);
    // The framer may not look at a chunk after the call.
    own.fill(0x21);
  }
  framer.end();
  return lines;
}

/** The rules, applied to the whole file at once. */
function reference(bytes: Uint8Array, maxLineBytes: number): Line[] {
  const text = Buffer.from(bytes).toString('latin1');
  const pieces = text.split('\n');
  if (pieces.at(-1) === '') pieces.pop();
  let at = 0;
  return pieces.map((piece, index) => {
    const mark = index === 0 && piece.startsWith('\xef\xbb\xbf') ? 3 : 0;
    const content = piece.slice(mark).replace(/\r$/, '');
    const line = {
      text: content.length > maxLineBytes ? null : content,
      offset: at + mark,
      length: content.length,
    };
    at += piece.length + 1;
    return line;
  });
}

function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

describe('LastingLines', () => {
  it('gives the same lines wherever the chunks are cut, and none of them changes later', () => {
    const byte = fc.constantFrom(0x0a, 0x0d, 0x61, 0x62, 0x63, 0xe2);
    const file = fc
      .uint8Array({ maxLength: 80 })
      .map((bytes) => bytes.map((one) => [0x0a, 0x0d, 0x61][one % 9] ?? one));
    fc.assert(
      fc.property(file, byte, fc.array(fc.nat(), { maxLength: 8 }), (bytes, last, places) => {
        const whole = Uint8Array.from([...bytes, last]);
        const lines: { bytes: Uint8Array | null; offset: number; length: number }[] = [];
        const framer = new LastingLines(12, (line, offset, length) => lines.push({ bytes: line, offset, length }));
        for (const chunk of cut(whole, places)) framer.push(chunk);
        framer.end();
        const told = lines.map(({ bytes: line, ...at }) => ({
          text: line && Buffer.from(line).toString('latin1'),
          ...at,
        }));
        expect(told).toEqual(reference(whole, 12));
      }),
      { numRuns: 2_000 },
    );
  });

  it('leaves lines where they came, unless they came in two chunks or in a large one', () => {
    const told: Uint8Array[] = [];
    const framer = new LastingLines(1024, (line) => line && told.push(line));
    const chunks = [Buffer.from('first\nse'), Buffer.from('cond\nthird\n'), Buffer.alloc(300_000, 'fourth\n')];
    for (const chunk of chunks) framer.push(chunk);
    const [small, next, large] = chunks as [Buffer, Buffer, Buffer];
    const isIn = (line: Uint8Array | undefined, chunk: Buffer) =>
      line?.buffer === chunk.buffer &&
      line.byteOffset >= chunk.byteOffset &&
      line.byteOffset < chunk.byteOffset + chunk.length;
    expect(told.slice(0, 4).map((line) => Buffer.from(line).toString())).toEqual([
      'first',
      'second',
      'third',
      'fourth',
    ]);
    expect([isIn(told[0], small), isIn(told[1], next), isIn(told[2], next), isIn(told[3], large)]).toEqual([
      true,
      false,
      true,
      false,
    ]);
  });
});

describe('LineFramer', () => {
  it('gives the same lines wherever the chunks are cut', () => {
    const byte = fc.constantFrom(0x0a, 0x0d, 0x61, 0xef, 0xbb, 0xbf, 0xe2, 0x80, 0xa8, 0x00);
    const file = fc
      .tuple(fc.boolean(), fc.array(byte, { maxLength: 60 }))
      .map(([mark, bytes]) => Uint8Array.from([...(mark ? [0xef, 0xbb, 0xbf] : []), ...bytes]));
    fc.assert(
      fc.property(file, fc.array(fc.nat(), { maxLength: 8 }), fc.integer({ min: 1, max: 12 }), (bytes, places, max) => {
        expect(frame(cut(bytes, places), max)).toEqual(reference(bytes, max));
      }),
      { numRuns: 3_000 },
    );
  });

  it('gives the same lines when every byte is a chunk of its own', () => {
    const bytes = Buffer.from('\ufeff{"a":"ü€𝄞"}\r\n\n  \r\n{"b":"\u2028\u2029\u0085"}\nlast');
    for (let place = 0; place <= bytes.length; place++) {
      expect(frame(cut(bytes, [place]), 100)).toEqual(reference(bytes, 100));
    }
    expect(
      frame(
        [...bytes].map((byte) => Uint8Array.of(byte)),
        100,
      ),
    ).toEqual(reference(bytes, 100));
  });

  it('splits at line feeds alone, never at U+2028, U+2029 or U+0085', () => {
    const lines = frame([Buffer.from('{"a":"x\u2028y\u2029z\u0085"}\n{"b":1}\n')], 100);
    expect(lines.map((line) => Buffer.from(line.text ?? '', 'latin1').toString())).toEqual([
      '{"a":"x\u2028y\u2029z\u0085"}',
      '{"b":1}',
    ]);
  });

  it('counts no line after the last line feed, and one without it', () => {
    expect(frame([Buffer.from('a\nb\n')], 10)).toHaveLength(2);
    expect(frame([Buffer.from('a\nb')], 10)).toHaveLength(2);
    expect(frame([Buffer.from('a\n\n')], 10)).toHaveLength(2);
    expect(frame([], 10)).toEqual([]);
  });

  it('reports a line that is too long once, with its true length, and goes on after it', () => {
    const long = Buffer.alloc(100_000, 0x61);
    const lines = frame([Buffer.from('ok\n'), long, long, long, Buffer.from('\nnext\n')], 1_000);
    expect(lines).toEqual([
      { text: 'ok', offset: 0, length: 2 },
      { text: null, offset: 3, length: 300_000 },
      { text: 'next', offset: 300_004, length: 4 },
    ]);
  });

  it('holds no more than one allowed line of an endless one', () => {
    const framer = new LineFramer(1024 * 1024, () => undefined);
    const chunk = Buffer.alloc(1024 * 1024, 0x61);
    global.gc?.();
    const before = process.memoryUsage().arrayBuffers;
    for (let index = 0; index < 256; index++) framer.push(chunk);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024);
  });
});

describe('escapeLineSeparators', () => {
  it('leaves JSON of the same meaning that no reader splits', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('\u2028', '\u2029', '\u0085', 'a', '\\', '"', '\n') }), (text) => {
        const json = escapeLineSeparators(JSON.stringify({ text }));
        expect(json).not.toMatch(/[\u0085\u2028\u2029]/);
        expect(JSON.parse(json)).toEqual({ text });
      }),
    );
  });

  it('returns text without them as it is', () => {
    expect(escapeLineSeparators('{"a":"ü"}')).toBe('{"a":"ü"}');
  });
});

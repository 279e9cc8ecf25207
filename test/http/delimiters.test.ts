import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Delimiters } from '../../src/http/delimiters.ts';

const open = (boundary: string) => Delimiters.of(`multipart/form-data; boundary=${boundary}`) as Delimiters;

/** Where delimiters end in `text`, which is given in pieces of these sizes. */
function endsOf(text: string, boundary: string, sizes: readonly number[]): number[] {
  const delimiters = open(boundary);
  const ends: number[] = [];
  let rest = Buffer.from(text, 'latin1');
  for (let index = 0; rest.length > 0; index++) {
    let piece = rest.subarray(0, sizes[index % sizes.length]);
    rest = rest.subarray(piece.length);
    while (piece.length > 0) {
      if (!delimiters.holds) piece = piece.subarray(delimiters.before(piece));
      const { taken, ends: isEnd } = delimiters.take(piece);
      piece = piece.subarray(taken);
      if (isEnd) ends.push(text.length - rest.length - piece.length);
    }
  }
  return ends;
}

describe('Delimiters', () => {
  it('are found wherever the bytes are cut', () => {
    const bit = fc.constantFrom('\r', '\n', '\r\n', '\r\n-', '--b', '\r\n--', '\r\n--bo', 'x', '-', '\r\n--\r\n--bob');
    fc.assert(
      fc.property(fc.array(bit), fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (bits, sizes) => {
        const text = bits.join('');
        const wanted: number[] = [];
        const whole = `\r\n${text}`;
        for (let at = whole.indexOf('\r\n--bob'); at >= 0; at = whole.indexOf('\r\n--bob', at + 7)) wanted.push(at + 5);
        expect(endsOf(text, 'bob', sizes)).toEqual(wanted);
      }),
      { numRuns: 2_000 },
    );
  });

  it('are left to the parser when the type names the boundary in an unusual way', () => {
    for (const type of ['boundary="a b"', 'boundary="a', 'boundary=a%20', 'charset=x; boundary=a', 'boundary=a; b=c']) {
      expect(Delimiters.of(`multipart/form-data; ${type}`), type).toBeNull();
    }
    expect(Delimiters.of('Multipart/Form-Data;boundary="----a\'()+,./:=?_"')).not.toBeNull();
  });
});

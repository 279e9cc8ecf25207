import { afterEach, describe, expect, it, vi } from 'vitest';
import { tableAnswer } from '../../src/http/tabular.ts';

afterEach(() => vi.restoreAllMocks());

/** Each look at the time is a millisecond later than the one before. */
function slowTime(): void {
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => (now += 1));
}

/** The text of an answer, and how often others had a turn while it was made. */
async function drain(answer: Response): Promise<{ text: string; turns: number }> {
  let turns = 0;
  const count = (): void => {
    turns += 1;
    next = setImmediate(count);
  };
  let next = setImmediate(count);
  const text = await answer.text();
  clearImmediate(next);
  return { text, turns };
}

describe('a table', () => {
  const rows = Array.from({ length: 1_000 }, (_, n) => ({ n, name: `=a${n}`, other: n === 7 ? null : 'x' }));

  it.each(['csv', 'jsonl'] as const)('of one long page lets others have their turns, in %s', async (format) => {
    slowTime();
    const { text, turns } = await drain(tableAnswer(format, 'table', ['name', 'n', 'none'], [rows]));
    expect(turns).toBeGreaterThan(2);
    const csv = ['name,n,none', ...rows.map(({ n }) => `'=a${n},${n},`)].map((line) => `${line}\r\n`);
    expect(text).toBe(format === 'csv' ? csv.join('') : rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  });

  it('is made page by page where others have their turns between the pages, with no further wait', async () => {
    let now = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => now);
    const waits = vi.spyOn(globalThis, 'setTimeout');
    async function* pages() {
      for (let from = 0; from < rows.length; from += 200) {
        now += 100;
        yield rows.slice(from, from + 200);
      }
    }
    const pieces: Uint8Array[] = [];
    for await (const piece of tableAnswer('jsonl', 'table', [], pages()).body ?? []) pieces.push(piece);
    expect(pieces).toHaveLength(5);
    expect(Buffer.concat(pieces).toString()).toBe(rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    expect(waits).not.toHaveBeenCalled();
  });

  it('without rows has its header alone', async () => {
    expect((await drain(tableAnswer('csv', 'table', ['a', 'b'], [[]]))).text).toBe('a,b\r\n');
  });
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openJournals } from '../../src/files/journal.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-journal-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('a journal keeps lines of any size and script whole and in their order, also those of one turn', async () => {
  const journals = openJournals(folder);
  const journal = journals.open();
  const turns = [
    ['one', '', 'ä€𝄞'.repeat(30_000), 'x'.repeat(100_000), 'two'],
    ['€'.repeat(21_846), 'three'],
    ['four'],
    Array.from({ length: 300 }, (_, index) => `${index} ${'é'.repeat(500)}`),
  ];
  const numbers: number[] = [];
  for (const lines of turns) numbers.push(...(await Promise.all(lines.map((line) => journal.append(() => line)))));
  const kept: string[] = [];
  for (const leftover of await journals.leftovers()) for await (const line of leftover.lines()) kept.push(line);
  expect(kept).toEqual(turns.flat());
  expect(numbers).toEqual(kept.map((_, index) => index + 1));
  journal.close();
  expect(await journals.leftovers()).toEqual([]);
});

it('a line that cannot be made fails its turn, and no other', async () => {
  const journals = openJournals(folder);
  const journal = journals.open();
  const first = journal.append(() => 'first');
  const broken = journal.append(() => {
    throw new Error('no line');
  });
  await expect(first).rejects.toThrow('no line');
  await expect(broken).rejects.toThrow('no line');
  expect(await journal.append(() => 'second')).toBe(1);
  const [left] = await journals.leftovers();
  const kept: string[] = [];
  for await (const line of left?.lines() ?? []) kept.push(line);
  expect(kept).toEqual(['second']);
  journal.close();
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openFsFiles } from '../../../src/files/fs.ts';
import { openMemoryFiles } from '../../../src/files/memory.ts';
import { type FileStore, FileUnreadable } from '../../../src/ports/files.ts';
import type { PartRow } from '../../../src/ports/store-segments.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { PartReader } from '../../../src/services/batches/part-reader.ts';
import { givenUp } from '../../../src/services/results/given-up.ts';
import { writePart } from '../../../src/services/results/write-part.ts';

const LANES = 3;
const PART_LINES = 40;
const LINES = LANES * PART_LINES * 12;
const LATE_LINE = 100;
const AHEAD_PARTS = 3;

const textOf = (line: number): string => `{"line":${line},"text":"${String(line).repeat(2_000)}"`;

/** Parts of three lanes whose lines alternate, and one of a line that came late, long behind its neighbours. */
async function writeParts(files: FileStore): Promise<PartRow[]> {
  const write = (name: string, lines: number[]): Promise<PartRow> =>
    writePart(
      { files, clock: systemClock },
      'batch_a',
      name,
      lines.map((line) => {
        const record = Buffer.from(`${textOf(line)},"weir":{}}\n`);
        return { line, succeeded: true, attempts: 1, record, strictBytes: textOf(line).length, usage: null };
      }),
    );
  const parts: PartRow[] = [];
  const all = Array.from({ length: LINES }, (_, line) => line).filter((line) => line !== LATE_LINE);
  for (let lane = 0; lane < LANES; lane++) {
    const own = all.filter((line) => line % LANES === lane);
    for (let from = 0; from < own.length; from += PART_LINES) {
      parts.push(await write(`${lane}-${from}`, own.slice(from, from + PART_LINES)));
    }
  }
  return [...parts, await write('late', [LATE_LINE, LINES - 1])];
}

describe('reading parts from a disk that cannot read now', () => {
  it('tells so, and takes them for lost where that is given up only', async () => {
    const memory = openMemoryFiles(() => Date.now());
    const [part] = (await writeParts(memory)) as [PartRow];
    const readRange = (key: string) => Promise.reject(new FileUnreadable(key, 'EIO'));
    const files: FileStore = { ...memory, readRange };
    const locate = (reader: PartReader) => reader.locate({ parts: async () => [part] }, 'batch_a', 0, LANES);
    await expect(locate(new PartReader(files))).rejects.toThrow(FileUnreadable);
    const located = await locate(new PartReader(givenUp({ files }).files));
    expect([located.get(0), located.mayBeLost(0)]).toEqual([undefined, true]);
  });
});

describe('reading parts forward', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'weir-parts-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.each(['disk', 'memory'])('gives every line as it was written, in the memory of a few parts (%s)', async (kind) => {
    const files = kind === 'disk' ? await openFsFiles(folder) : openMemoryFiles(() => Date.now());
    const parts = await writeParts(files);
    const reader = new PartReader(files, { forward: true });
    const used = new Set<ArrayBufferLike>();
    for (let from = 0; from < LINES; from += 300) {
      const located = await reader.locate({ parts: async () => parts }, 'batch_a', from, from + 299);
      reader.goTo(located);
      for (let line = from; line < Math.min(LINES, from + 300); line++) {
        const record = located.get(line);
        if (record === undefined) throw new Error(`line ${line} has no record`);
        const bytes = await reader.slice(record, 0, record.entry.strictLength);
        expect(Buffer.from(bytes).toString()).toBe(textOf(line));
        const held = reader.held(record);
        expect(held?.subarray(record.entry.offset, record.entry.offset + 8)).toEqual(bytes.subarray(0, 8));
        used.add(bytes.buffer);
      }
    }
    // What a store of its own answers with is left alone; on a disk a dozen parts of each lane share the memory of some.
    if (kind === 'disk') expect(used.size).toBeLessThan(parts.length / 3);
    else expect(used.size).toBe(parts.length);
  });

  it.each([
    ['a few of the parts that come next while one is gone through, and each of them once', true, AHEAD_PARTS],
    ['no part that nobody asks for where lines are asked for in any order', false, 0],
  ])('reads %s', async (_what, forward, ahead) => {
    const files = openMemoryFiles(() => Date.now());
    const parts = (await writeParts(files)).slice(0, 12);
    const begun: string[] = [];
    const counting: FileStore = {
      ...files,
      readRange(key, range, into) {
        if (range.offset === 0) begun.push(key);
        return files.readRange(key, range, into);
      },
    };
    const reader = new PartReader(counting, { forward });
    const located = await reader.locate({ parts: async () => parts }, 'batch_a', 0, LINES - 1);
    reader.goTo(located);
    const inOrder = located.inOrder().map(({ key }) => key);
    for (const [index, part] of located.inOrder().entries()) {
      const record = located.get(part.firstLine);
      if (record === undefined) throw new Error(`part ${part.key} has no line`);
      await reader.hold(record);
      expect(begun).toEqual(inOrder.slice(0, index + 1 + ahead));
    }
  });
});

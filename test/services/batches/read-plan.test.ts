import { rm } from 'node:fs/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { PLAN_RECORD_BYTES, readPlanRecord, writePlanRecord } from '../../../src/core/plan.ts';
import { openFsFiles } from '../../../src/files/fs.ts';
import type { FileRow } from '../../../src/ports/store-files.ts';
import { planWindows, WINDOW_LINES } from '../../../src/services/batches/read-plan.ts';
import { temporaryFolder } from '../../e2e/weir.ts';

describe('the windows of a plan', () => {
  const folders: string[] = [];
  afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

  it('hold every record once and in order, all in the memory of one window', async () => {
    const lines = 2 * WINDOW_LINES + 3;
    const plan = new DataView(new ArrayBuffer(lines * PLAN_RECORD_BYTES));
    for (let line = 0; line < lines; line++) {
      writePlanRecord(plan, line, { offset: line * 7, length: 5, model: line % 3, endpoint: 0, flags: 0 });
    }
    const folder = await temporaryFolder();
    folders.push(folder);
    const files = await openFsFiles(folder);
    await files.put('files/a.plan', new Uint8Array(plan.buffer));
    const counts: number[] = [];
    const memories = new Set<ArrayBufferLike>();
    let next = 0;
    for await (const { first, count, view } of planWindows({ files }, { planKey: 'files/a.plan' } as FileRow, lines)) {
      expect(first).toBe(next);
      counts.push(count);
      memories.add(view.buffer);
      for (let index = 0; index < count; index++, next++) {
        const { offset, model } = readPlanRecord(view, index);
        if (offset !== next * 7 || model !== next % 3) throw new Error(`record ${next} is ${offset}, ${model}`);
      }
    }
    expect(counts).toEqual([WINDOW_LINES, WINDOW_LINES, 3]);
    expect(memories.size).toBe(1);
  });
});

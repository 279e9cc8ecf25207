import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isCopied } from '../../src/runtime/data-lock.ts';
import { lockDatabase } from '../../src/store/database-lock.ts';
import { spawnWeir, temporaryFolder, type WeirProcess } from './weir.ts';

const TAKEN = /exited with 2: .*WEIR_DATA_DIR: another process works with/s;

/** Starts so many servers at the same moment: those that run, and what the others said. */
async function startTogether(count: number, folder: string): Promise<{ running: WeirProcess[]; refused: string[] }> {
  const starts = Array.from({ length: count }, () => spawnWeir(join(folder, 'weir.json'), join(folder, 'data')));
  const ended = await Promise.allSettled(starts);
  return {
    running: ended.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : [])),
    refused: ended.flatMap((start) => (start.status === 'rejected' ? [String(start.reason)] : [])),
  };
}

describe('starts at the same moment on one data folder', () => {
  it('of several processes: exactly one runs, the others end with 2 and say why; also after a kill', async () => {
    const folder = await temporaryFolder();
    const provider = { kind: 'vllm', base_urls: ['http://127.0.0.1:9/v1'], models: ['m'] };
    await writeFile(join(folder, 'weir.json'), JSON.stringify({ providers: { p: provider } }));
    try {
      for (const count of [3, 2]) {
        const { running, refused } = await startTogether(count, folder);
        await Promise.all(running.map((weir) => weir.kill()));
        expect(running).toHaveLength(1);
        expect(refused).toHaveLength(count - 1);
        for (const reason of refused) expect(reason).toMatch(TAKEN);
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }, 90_000);

  it('of a copy of it: the copy is told from the original, which is not told from itself', async () => {
    const folder = await temporaryFolder();
    const [original, copy] = [join(folder, 'a'), join(folder, 'b')];
    await mkdir(original);
    await writeFile(join(original, 'weir.db'), '');
    const urlOf = (at: string) => `file:${join(at, 'weir.db')}`;
    expect([await isCopied(urlOf(original)), await isCopied(urlOf(original))]).toEqual([false, false]);
    await cp(original, copy, { recursive: true });
    expect([await isCopied(urlOf(copy)), await isCopied(urlOf(copy))]).toEqual([true, false]);
    expect(await isCopied(urlOf(original))).toBe(false);
    await rm(folder, { recursive: true, force: true });
  });

  it('within one process: all hold it, and none waits for another', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'weir.db');
    const releases = await Promise.all([lockDatabase(path), lockDatabase(path), lockDatabase(path)]);
    for (const release of releases) release();
    (await lockDatabase(path))();
    await rm(folder, { recursive: true, force: true });
  });
});

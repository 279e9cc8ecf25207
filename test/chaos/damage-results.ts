import { open, readdir, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import type { Action, Damage } from './actions.ts';
import type { Batches } from './batches.ts';

/** What a disk writes together. */
const BLOCK_BYTES = 512;

/** Does to a file of results of one of the batches what disks and hands do. */
export async function damageResults(
  dataFolder: string,
  batches: Batches,
  { how, pick }: Extract<Action, { do: 'damage results' }>,
): Promise<void> {
  const batch = batches.submitted[pick % Math.max(1, batches.submitted.length)];
  if (batch === undefined || batches.withoutInput.has(batch.id)) return;
  const folder = join(dataFolder, 'files/batches', batch.id, 'parts');
  const names = (await readdir(folder).catch(() => [])).sort();
  const name = names[pick % Math.max(1, names.length)];
  if (name === undefined) return;
  batches.damaged.add(batch.id);
  // The sweep may have been faster.
  await damage(join(folder, name), how).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
}

async function damage(path: string, how: Damage): Promise<void> {
  const { size } = await stat(path);
  switch (how) {
    case 'delete':
      return rm(path);
    case 'cut':
      return truncate(path, Math.floor(size / 2));
    case 'blank end':
      return overwrite(path, Math.max(0, size - BLOCK_BYTES), Buffer.alloc(Math.min(size, BLOCK_BYTES)));
    case 'change':
      return overwrite(path, Math.floor(size / 3), Buffer.from('~'));
  }
}

async function overwrite(path: string, at: number, bytes: Buffer): Promise<void> {
  const file = await open(path, 'r+');
  await file.write(bytes, 0, bytes.length, at);
  await file.close();
}

import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openStore } from '../../src/store/open-node.ts';

export async function temporaryFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'weir-test-'));
}

/** A new database, and the word in it that marks what is this installation's at providers. */
let made: Promise<{ bytes: Buffer; word: string }> | undefined;

/**
 * A data folder as it is once its database is made, with a word of its own. To make it is an eighth of the work of a start
 * in this process, and a third of its time, as the disk is waited for; servers in processes of their own do.
 */
export async function newDataFolder(): Promise<string> {
  made ??= makeDatabase();
  const { bytes, word } = await made;
  const copy = Buffer.from(bytes);
  copy.write(randomBytes(word.length / 2).toString('hex'), bytes.indexOf(word));
  const folder = await temporaryFolder();
  await writeFile(join(folder, 'weir.db'), copy);
  return folder;
}

async function makeDatabase(): Promise<{ bytes: Buffer; word: string }> {
  const folder = await temporaryFolder();
  const path = join(folder, 'weir.db');
  const store = await openStore({ url: `file:${path}` });
  const word = await store.shards.installation();
  await store.close();
  const bytes = await readFile(path);
  await rm(folder, { recursive: true, force: true });
  if (bytes.indexOf(word) === -1 || bytes.indexOf(word) !== bytes.lastIndexOf(word)) {
    throw new Error('the word of the installation is not once in its database');
  }
  return { bytes, word };
}

/** Two runs of one call that makes a file, as where the lease of the first had lapsed: they have its id in common. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Deps } from '../../src/ports/deps.ts';
import { createFile } from '../../src/services/files/create.ts';
import { type Harness, openHarness } from '../http/harness.ts';
import { contextOf, line, objects } from './file-inputs.ts';

const TEXT = `${line('a')}\n`;

describe('a file that two runs of a call make', () => {
  let harness: Harness;
  let deps: Deps;

  beforeEach(async () => {
    harness = await openHarness();
    deps = harness.deps;
  });
  afterEach(() => harness.close());

  /** Begins to make it; `end` is what becomes of its content. */
  function begin() {
    const content = Promise.withResolvers<void>();
    const made = createFile(
      deps,
      { ...contextOf('tenant-a'), newId: () => 'file-ofTwo' },
      {
        content: (async function* () {
          yield Buffer.from(TEXT);
          await content.promise;
        })(),
        purpose: 'batch',
        details: () => Promise.resolve({ filename: 'a.jsonl', purpose: 'batch', expiresAfterSeconds: null }),
      },
    );
    made.catch(() => undefined);
    return { made, content };
  }

  async function textOf(): Promise<string> {
    const row = (await deps.store.files.getAny('file-ofTwo'))!;
    return Buffer.from(await deps.files.readRange(row.contentKey, { offset: 0, length: 1_000 })).toString();
  }

  it('is there whole though the other one fails', async () => {
    const [first, second] = [begin(), begin()];
    second.content.resolve();
    await second.made;
    first.content.reject(new Error('EIO: i/o error'));
    await expect(first.made).rejects.toThrow('EIO');
    expect(await textOf()).toBe(TEXT);
    expect(await objects(deps)).toHaveLength(2);
  });

  it('is there once though both come to their end, and both are told the same', async () => {
    const [first, second] = [begin(), begin()];
    second.content.resolve();
    const told = await second.made;
    first.content.resolve();
    expect(await first.made).toEqual(told);
    expect(await textOf()).toBe(TEXT);
    expect(await objects(deps)).toHaveLength(2);
  });
});

import { rm } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { startOpenAIBatchServer } from '../../../providers/sandbox/servers/openai-batch.ts';
import type { Deps } from '../../../src/ports/deps.ts';
import { FileMissing, FileUnreadable } from '../../../src/ports/files.ts';
import { DEFAULT_SETTINGS } from '../../../src/ports/settings.ts';
import { batchOutput } from '../../../src/services/batches/output.ts';
import { readableNow, readableOrLost } from '../../../src/services/batches/readable-now.ts';
import { chatLines, temporaryFolder } from '../../e2e/weir.ts';
import { beginBatch, contextOf, isSettled, openRig, workUntil } from '../shards/rig.ts';

const PART = 'batches/batch_1/parts/a';
const BOUND = DEFAULT_SETTINGS.unreadableSeconds;

describe('a look at results that the disk cannot read', () => {
  function open() {
    const disk = { seconds: 0, fails: true };
    const deps = {
      clock: { micros: () => disk.seconds * 1e6 },
      settings: DEFAULT_SETTINGS,
      log: { error: () => undefined },
      files: {
        readRange: async (key: string) => {
          if (disk.fails) throw new FileUnreadable(key, new Error('EIO'));
          return new Uint8Array(3);
        },
      },
    } as unknown as Deps;
    const look = (key = PART, offset = 0, through = readableOrLost) =>
      through(deps)
        .files.readRange(key, { offset, length: 3 })
        .then(
          () => 'read',
          (error: unknown) => (error instanceof FileMissing ? 'lost' : (error as { status?: number }).status),
        );
    return { disk, look };
  }

  it('asks to come back until the bound, and tells what is lost from then on, as long as it lasts', async () => {
    const { disk, look } = open();
    for (; disk.seconds < BOUND; disk.seconds += 5) expect(await look()).toBe(503);
    expect(await look()).toBe('lost');
    // Another part, and whoever decides by it what is bought again, is told to come back.
    expect([await look(`${PART}b`), await look(PART, 0, readableNow)]).toEqual([503, 503]);
    expect(await look(PART, 3)).toBe('lost');
    disk.fails = false;
    expect(await look()).toBe('read');
    disk.fails = true;
    expect(await look()).toBe(503);
  });

  it('takes failures with a long time between them for different ones', async () => {
    const { disk, look } = open();
    for (let count = 0; count < 3; count++) {
      expect(await look()).toBe(503);
      disk.seconds += BOUND + 1;
    }
  });

  it('never takes anything but results for lost', async () => {
    const { disk, look } = open();
    for (; disk.seconds <= 2 * BOUND; disk.seconds += 5) expect(await look('files/file_1')).toBe(503);
  });
});

it('the output of a batch has a line for each whose result cannot be read for so long, and the others', async () => {
  const folder = await temporaryFolder();
  const remote = await startOpenAIBatchServer();
  const openai = { kind: 'openai', base_url: remote.baseUrl, api_key: 'sk-test', models: ['gpt-4o-mini'] };
  const rig = await openRig(folder, { providers: { openai }, settings: { poll_seconds_min: 1 } });
  try {
    const id = await beginBatch(rig.deps, chatLines(20));
    expect(await workUntil(rig.deps, () => isSettled(rig.deps, id), { between: () => rig.advance(5) })).toBe(true);
    let isBroken = true;
    const readRange: Deps['files']['readRange'] = async (key, range, into) => {
      if (isBroken && key.includes('/parts/')) throw new FileUnreadable(key, new Error('EIO'));
      return rig.deps.files.readRange(key, range, into);
    };
    const deps = { ...rig.deps, files: { ...rig.deps.files, readRange } };
    const output = async () => {
      const { bytes } = await batchOutput(deps, contextOf(deps), id, { follow: false });
      let text = '';
      for await (const piece of bytes) text += Buffer.from(piece).toString('utf8');
      return text.trimEnd().split('\n');
    };
    for (let waited = 0; waited < BOUND; waited += 30) {
      await expect(output()).rejects.toMatchObject({ status: 503 });
      rig.advance(30);
    }
    const shown = await output();
    expect(shown).toHaveLength(20);
    expect(shown.every((line) => line.includes('result_lost'))).toBe(true);
    isBroken = false;
    expect((await output()).filter((line) => line.includes('"status_code":200'))).toHaveLength(20);
  } finally {
    await rig.close();
    await remote.stop();
    await rm(folder, { recursive: true, force: true });
  }
});

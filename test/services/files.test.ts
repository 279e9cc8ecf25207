import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IdHash } from '../../src/core/id-hash.ts';
import { RangeFramer } from '../../src/core/jsonl.ts';
import { openFsFiles } from '../../src/files/fs.ts';
import type { Deps } from '../../src/ports/deps.ts';
import { DEFAULT_SETTINGS } from '../../src/ports/settings.ts';
import { deleteFile } from '../../src/services/files/delete.ts';
import { settleDuplicates } from '../../src/services/files/duplicates.ts';
import { IdLog } from '../../src/services/files/id-log.ts';
import { listFiles } from '../../src/services/files/list.ts';
import { PlanBuilder } from '../../src/services/files/plan-builder.ts';
import { retrieveFile } from '../../src/services/files/retrieve.ts';
import { sweepFiles, sweepOrphans } from '../../src/services/files/sweep.ts';
import { addUploadPart } from '../../src/services/uploads/add-part.ts';
import { cancelUpload } from '../../src/services/uploads/cancel.ts';
import { createUpload } from '../../src/services/uploads/create.ts';
import { sweepUploads } from '../../src/services/uploads/sweep.ts';
import { type Harness, openHarness } from '../http/harness.ts';
import { chunksOf, contextOf, line, objects, planOf, upload } from './file-inputs.ts';

let harness: Harness;
let deps: Deps;
beforeEach(async () => {
  harness = await openHarness();
  deps = harness.deps;
});
afterEach(() => harness.close());

const day = 86_400_000;
const a = contextOf('tenant-a');

describe('creating a file', () => {
  it('keeps its exact size, digest, tenant and life', async () => {
    const content = `${line('a')}\n`;
    const row = await upload(deps, content, { expiresAfterSeconds: 3_600 });
    expect(row).toMatchObject({
      tenantId: 'tenant-a',
      bytes: Buffer.byteLength(content),
      sha256: createHash('sha256').update(content).digest('hex'),
      contentKey: expect.stringMatching(new RegExp(`^files/${row.id}\\.[0-9a-f]{12}$`)),
      planKey: `${row.contentKey}.plan`,
      expiresAt: row.createdAt + 3_600,
      deletedAt: null,
    });
    expect((await upload(deps, content)).expiresAt).toBe(row.createdAt + DEFAULT_SETTINGS.batchFileSeconds);
    expect((await upload(deps, content, { purpose: 'user_data' })).expiresAt).toBeNull();
  });

  it('plans the same whether the purpose came before the content or after', async () => {
    const content = [line('a'), '', line('a'), '{', line('b', { url: '/v1/x' })].join('\n');
    const early = await upload(deps, content, { early: true, chunkBytes: 7 });
    const late = await upload(deps, content);
    expect(early.plan).toEqual(late.plan);
    expect(await planOf(deps, early)).toEqual(await planOf(deps, late));
  });

  it('answers the stored file to a call with the same id, having read what it was sent', async () => {
    const context = contextOf('tenant-a', { newId: () => 'file-same' });
    const first = await upload(deps, `${line('a')}\n`, { context });
    let read = 0;
    async function* again(): AsyncGenerator<Uint8Array> {
      for await (const chunk of chunksOf(`${line('b')}\n`, 10)) {
        read += chunk.length;
        yield chunk;
      }
    }
    expect(await upload(deps, again(), { context })).toEqual(first);
    expect(read).toBe(line('b').length + 1);
    await deleteFile(deps, context, first.id);
    expect((await upload(deps, `${line('a')}\n`, { context })).deletedAt).not.toBeNull();
  });

  it('shows only the first errors, in the order of lines, and counts all', async () => {
    const few = { ...deps, settings: { ...DEFAULT_SETTINGS, maxLineErrors: 3 } };
    const lines = [line('a'), line('a'), '{', line('a'), '{', '{', line('a')];
    const { plan } = await upload(few, lines.join('\n'));
    expect(plan?.errors.map((error) => error.line)).toEqual([2, 3, 4]);
    expect(plan).toMatchObject({ errorCount: 6, requests: 1, lines: 7 });
  });
});

describe('the memory of an upload', () => {
  it('does not grow with the file', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'weir-ingest-'));
    try {
      const onDisk = { ...deps, files: await openFsFiles(directory) };
      let most = 0;
      const used = () => {
        const { heapUsed, external, arrayBuffers } = process.memoryUsage();
        return heapUsed + external + arrayBuffers;
      };
      const before = used();
      async function* content(): AsyncGenerator<Uint8Array> {
        for (let block = 0; block < 2_000; block++) {
          const lines = Array.from({ length: 100 }, (_, index) => line(`r${block}-${index}`, { x: 'y'.repeat(1_000) }));
          most = Math.max(most, used() - before);
          yield Buffer.from(`${lines.join('\n')}\n`);
        }
      }
      const row = await upload(onDisk, content());
      expect(row.plan).toMatchObject({ requests: 200_000, errorCount: 0 });
      expect(row.bytes).toBeGreaterThan(200_000_000);
      expect(most).toBeLessThan(100_000_000);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});

describe('telling duplicates from ids of the same hash', () => {
  it.each([
    ['held in memory', 10_000],
    ['gone to the file store', 100],
  ])(
    'clears every id that only shares a hash, in the plan too, and keeps the true duplicates: hashes %s',
    async (_where, held) => {
      const keys = { contentKey: 'files/x', planKey: 'files/x.plan' };
      const ids = [...Array.from({ length: 900 }, (_, index) => `id-${index}`), 'id-3', 'id-500', 'id-3'];
      const text = `${ids.map((id) => line(id)).join('\n')}\n`;
      // Hashes of nine bits: many an id looks like a duplicate.
      const builder = new PlanBuilder(DEFAULT_SETTINGS, new IdHash(randomBytes(8), 9));
      const framer = new RangeFramer(1_000, (...line) => builder.add(...line));
      framer.push(Buffer.from(text));
      const content = await deps.files.create(keys.contentKey);
      await content.write(Buffer.from(text));
      await content.close();
      const plan = await deps.files.create(keys.planKey);
      const blocks = builder.takeBlocks(true);
      for (const block of blocks.plan) await plan.write(block);
      await plan.close();
      const log = new IdLog(deps.files, 'files/x.ids', held);
      await log.add(blocks.ids);
      await log.end();
      const before = builder.summary();
      expect(before).toMatchObject({ requests: 903, errorCount: 0 });

      const summary = await settleDuplicates(deps.files, keys, { plan: before, ids: log }, 100);
      await log.discard();
      expect(await deps.files.size('files/x.ids')).toBeNull();
      expect(summary.errors.map((error) => [error.line, error.code])).toEqual([
        [901, 'duplicate_custom_id'],
        [902, 'duplicate_custom_id'],
        [903, 'duplicate_custom_id'],
      ]);
      expect(summary.errors[2]?.message).toContain('line 4');
      expect(summary).toMatchObject({
        lines: 903,
        requests: 900,
        errorCount: 3,
        models: [{ name: 'model-a', count: 900 }],
        endpoints: [{ endpoint: '/v1/chat/completions', count: 900, firstLine: 1 }],
      });
      const row = { ...(await upload(deps, `${line('a')}\n`)), ...keys };
      const flags = (await planOf(deps, row)).map((record) => record.flags);
      expect(flags.filter((flag) => flag !== 0)).toHaveLength(3);
      expect(flags.slice(900).every((flag) => flag !== 0)).toBe(true);
    },
  );
});

describe('seeing files', () => {
  it('keeps tenants apart; an administrator may look an id up', async () => {
    const row = await upload(deps, `${line('a')}\n`);
    const other = contextOf('tenant-b');
    const admin = contextOf('tenant-b', { actor: { tenantId: 'tenant-b', keyId: null, role: 'admin' } });
    await expect(retrieveFile(deps, other, row.id)).rejects.toMatchObject({ status: 404 });
    await expect(deleteFile(deps, other, row.id)).rejects.toMatchObject({ status: 404 });
    expect((await listFiles(deps, other, { limit: 10, order: 'desc' })).data).toEqual([]);
    await expect(listFiles(deps, other, { limit: 10, order: 'desc', after: row.id })).rejects.toMatchObject({
      status: 400,
    });
    expect((await retrieveFile(deps, admin, row.id)).id).toBe(row.id);
    expect((await listFiles(deps, admin, { limit: 10, order: 'desc' })).data).toEqual([]);
  });

  it('hides a file from the second it expires, before any sweep', async () => {
    const row = await upload(deps, `${line('a')}\n`, { expiresAfterSeconds: 3_600 });
    harness.time.nowMs += 3_599_000;
    expect((await retrieveFile(deps, a, row.id)).id).toBe(row.id);
    harness.time.nowMs += 1_000;
    await expect(retrieveFile(deps, a, row.id)).rejects.toMatchObject({ status: 404 });
  });
});

describe('sweeping files', () => {
  it('removes the bytes of deleted and expired files, and of no others', async () => {
    const marker = 'marker-4711';
    const expiring = await upload(deps, `${line(marker)}\n`, { expiresAfterSeconds: 3_600 });
    const deleted = await upload(deps, `${line('b')}\n`);
    const kept = await upload(deps, `${line('c')}\n`);
    await deleteFile(deps, a, deleted.id);
    expect(await sweepFiles(deps, 10)).toBe(1);
    expect(await objects(deps)).toEqual(
      [expiring, kept].flatMap((row) => [row.contentKey, `${row.contentKey}.plan`]).sort(),
    );
    harness.time.nowMs += 3_600_000;
    expect(await sweepFiles(deps, 10)).toBe(2);
    expect(await sweepFiles(deps, 10)).toBe(0);
    expect(await objects(deps)).toEqual([kept.contentKey, `${kept.contentKey}.plan`]);
    await expect(retrieveFile(deps, a, expiring.id)).rejects.toMatchObject({ status: 404 });
  });

  it('does no more than its limit in a round', async () => {
    for (let index = 0; index < 5; index++) await deleteFile(deps, a, (await upload(deps, line(`r${index}`))).id);
    expect(await sweepFiles(deps, 2)).toBe(2);
    expect(await objects(deps)).toHaveLength(6);
  });

  it('removes objects that no row knows once they are a day old, in bounded steps', async () => {
    const kept = await upload(deps, `${line('a')}\n`);
    for (const key of ['files/file-lost', 'files/file-lost.plan', 'files/file-zzz', 'parts/b/1']) {
      await (await deps.files.create(key)).close();
    }
    const everything = { prefix: 'files/' as const, after: null, limit: 100 };
    expect(await sweepOrphans(deps, everything)).toEqual({ next: null, removed: 0 });
    harness.time.nowMs += day + 1_000;
    let after: string | null = null;
    let removed = 0;
    let rounds = 0;
    do {
      const step = await sweepOrphans(deps, { prefix: 'files/', after, limit: 2 });
      after = step.next;
      removed += step.removed;
      rounds += 1;
    } while (after !== null && rounds < 10);
    expect(removed).toBe(3);
    expect(rounds).toBeGreaterThan(1);
    expect(await objects(deps)).toEqual([kept.contentKey, `${kept.contentKey}.plan`, 'parts/b/1'].sort());
  });
});

describe('sweeping uploads', () => {
  const created = { bytes: 3, filename: 'x', mime_type: 'text/plain', purpose: 'user_data' as const };
  const part = (uploadId: string) =>
    addUploadPart(deps, a, { uploadId, content: chunksOf('abc'), ended: () => Promise.resolve() });

  it('expires what is past its hour and removes the parts of ended uploads', async () => {
    const cancelled = await createUpload(deps, a, created);
    await part(cancelled.id);
    await cancelUpload(deps, a, cancelled.id);
    const pending = await createUpload(deps, a, created);
    await part(pending.id);
    expect(await objects(deps)).toHaveLength(2);
    expect(await sweepUploads(deps, 10)).toBe(1);
    expect(await objects(deps)).toHaveLength(1);
    harness.time.nowMs += 3_600_000;
    await expect(part(pending.id)).rejects.toMatchObject({ status: 400, code: 'invalid_upload_status' });
    expect(await sweepUploads(deps, 10)).toBe(2);
    expect(await objects(deps)).toEqual([]);
    expect(await sweepUploads(deps, 10)).toBe(0);
    expect((await deps.store.uploads.get('all', pending.id))?.status).toBe('expired');
  });

  it('removes parts that no row knows after a day', async () => {
    const ended = await createUpload(deps, a, created);
    await cancelUpload(deps, a, ended.id);
    await (await deps.files.create(`uploads/${ended.id}/part_lost`)).close();
    harness.time.nowMs += day + 1_000;
    expect(await sweepOrphans(deps, { prefix: 'uploads/', after: null, limit: 10 })).toEqual({
      next: null,
      removed: 1,
    });
  });
});

import { createHash } from 'node:crypto';
import OpenAI, { toFile } from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sweepUploads } from '../../src/services/uploads/sweep.ts';
import { line, objects } from '../services/file-inputs.ts';
import { form, type Listening, listen, sendForm } from './files-server.ts';
import { errorOf, type Harness, openHarness } from './harness.ts';

let harness: Harness;
let server: Listening;
let client: OpenAI;
beforeAll(async () => {
  harness = await openHarness();
  server = await listen(harness);
  client = server.client;
});
afterAll(async () => {
  await server.close();
  await harness.close();
});

const content = Buffer.from(Array.from({ length: 500 }, (_, index) => `${line(`r${index}`)}\n`).join(''));
const part = async (bytes: Uint8Array) => ({ data: await toFile(bytes) });

function create(bytes = content.length, change: Partial<OpenAI.UploadCreateParams> = {}) {
  return client.uploads.create({
    bytes,
    filename: 'in.jsonl',
    mime_type: 'application/jsonl',
    purpose: 'batch',
    ...change,
  });
}

describe('the official SDK', () => {
  it('uploads a file in parts that come at the same time, and completes it in the order named', async () => {
    const upload = await create();
    expect(upload).toMatchObject({
      object: 'upload',
      bytes: content.length,
      status: 'pending',
      file: null,
      filename: 'in.jsonl',
      purpose: 'batch',
      expires_at: upload.created_at + 3_600,
    });
    const cuts = [0, 10_001, 50_000, content.length];
    const parts = await Promise.all(
      [2, 0, 1].map(async (index) => ({
        index,
        made: await client.uploads.parts.create(upload.id, await part(content.subarray(cuts[index], cuts[index + 1]))),
      })),
    );
    for (const { made } of parts) expect(made).toMatchObject({ object: 'upload.part', upload_id: upload.id });
    const part_ids = parts.toSorted((a, b) => a.index - b.index).map(({ made }) => made.id);
    const md5 = createHash('md5').update(content).digest('hex');
    const done = await client.uploads.complete(upload.id, { part_ids, md5 });
    expect(done).toMatchObject({ id: upload.id, status: 'completed' });
    expect(done.file).toMatchObject({ object: 'file', bytes: content.length, purpose: 'batch', status: 'processed' });
    expect(Buffer.from(await (await client.files.content(done.file!.id)).arrayBuffer())).toEqual(content);
    expect((await harness.deps.store.files.getAny(done.file!.id))?.plan).toMatchObject({ requests: 500 });

    expect(await client.uploads.complete(upload.id, { part_ids })).toEqual(done);
    await expect(client.uploads.cancel(upload.id)).rejects.toMatchObject({ status: 400 });
    await expect(client.uploads.parts.create(upload.id, await part(content))).rejects.toMatchObject({
      status: 400,
      code: 'invalid_upload_status',
    });
    await sweepUploads(harness.deps, 10);
    expect((await objects(harness.deps)).filter((key) => key.startsWith('uploads/'))).toEqual([]);
    expect((await client.files.content(done.file!.id)).status).toBe(200);
  });

  it('cancels, once and again', async () => {
    const upload = await create(3);
    const { id } = await client.uploads.parts.create(upload.id, await part(Buffer.from('abc')));
    expect((await client.uploads.cancel(upload.id)).status).toBe('cancelled');
    expect((await client.uploads.cancel(upload.id)).status).toBe('cancelled');
    await expect(client.uploads.complete(upload.id, { part_ids: [id] })).rejects.toMatchObject({
      status: 400,
      code: 'invalid_upload_status',
    });
  });

  it('gives the file its own life', async () => {
    const upload = await create(3, { purpose: 'user_data', expires_after: { anchor: 'created_at', seconds: 3_600 } });
    const { id } = await client.uploads.parts.create(upload.id, await part(Buffer.from('abc')));
    const { file } = await client.uploads.complete(upload.id, { part_ids: [id] });
    expect(file?.expires_at).toBe((file?.created_at ?? 0) + 3_600);
  });
});

describe('completing', () => {
  it('refuses parts that are unknown, named twice, of another upload, or not of the declared size', async () => {
    const upload = await create(6);
    const other = await create(3);
    const one = await client.uploads.parts.create(upload.id, await part(Buffer.from('abc')));
    const foreign = await client.uploads.parts.create(other.id, await part(Buffer.from('abc')));
    for (const part_ids of [['part_unknown'], [one.id, one.id], [one.id, foreign.id]]) {
      await expect(client.uploads.complete(upload.id, { part_ids })).rejects.toMatchObject({
        status: 400,
        code: 'invalid_part',
      });
    }
    await expect(client.uploads.complete(upload.id, { part_ids: [one.id] })).rejects.toMatchObject({
      status: 400,
      code: 'bytes_mismatch',
    });
    await expect(client.uploads.complete(upload.id, { part_ids: [] })).rejects.toMatchObject({ status: 400 });
  });

  it('refuses another digest, or a file that is no batch input, and can be tried again', async () => {
    const upload = await create();
    const whole = await client.uploads.parts.create(upload.id, await part(content));
    const bad = await client.uploads.parts.create(upload.id, await part(Buffer.alloc(content.length, 'x')));
    const before = await objects(harness.deps);
    await expect(
      client.uploads.complete(upload.id, { part_ids: [whole.id], md5: '0'.repeat(32) }),
    ).rejects.toMatchObject({ status: 400, code: 'md5_mismatch' });
    await expect(client.uploads.complete(upload.id, { part_ids: [bad.id] })).rejects.toMatchObject({
      status: 400,
      code: 'invalid_file_format',
    });
    expect(await objects(harness.deps)).toEqual(before);
    expect((await client.uploads.complete(upload.id, { part_ids: [whole.id] })).status).toBe('completed');
  });

  it('makes one file, however many complete it at once', async () => {
    const upload = await create();
    const { id } = await client.uploads.parts.create(upload.id, await part(content));
    const done = await Promise.all([1, 2, 3, 4].map(() => client.uploads.complete(upload.id, { part_ids: [id] })));
    expect(new Set(done.map((answer) => answer.file?.id)).size).toBe(1);
    const stored = (await objects(harness.deps)).filter((key) => key.startsWith('files/'));
    const listed = (await client.files.list()).data.map((file) => file.id);
    expect(stored.filter((key) => key.startsWith(`files/${done[0]?.file?.id}.`))).toHaveLength(2);
    for (const key of stored) expect(listed).toContain(key.slice('files/'.length).split('.')[0]);
  });
});

describe('the limits of an upload', () => {
  it.each([
    [{ bytes: 0 }, 400, 'bytes'],
    [{ bytes: 1.5 }, 400, 'bytes'],
    [{ purpose: 'banana' }, 400, 'purpose'],
    [{ filename: undefined }, 400, 'filename'],
    [{ bytes: 10 * 1024 ** 3 + 1 }, 413, 'file'],
  ])('refuse %j', async (change, status, param) => {
    const json = { bytes: 3, filename: 'x', mime_type: 'text/plain', purpose: 'batch', ...change };
    const answer = await harness.send('POST', '/v1/uploads', { json });
    expect(answer.status).toBe(status);
    expect((await errorOf(answer)).param).toBe(param);
  });

  it('refuse a part of more than 64 MiB, and one without data', async () => {
    const upload = await create(100_000_000);
    const before = await objects(harness.deps);
    await expect(
      client.uploads.parts.create(upload.id, await part(Buffer.alloc(64 * 1024 * 1024 + 1))),
    ).rejects.toMatchObject({ status: 413, code: 'part_too_large' });
    const path = `/v1/uploads/${upload.id}/parts`;
    const none = await sendForm(harness, path, form([{ name: 'x', body: 'y' }]));
    expect(none.status).toBe(400);
    expect(await errorOf(none)).toMatchObject({ code: 'missing_required_parameter', param: 'data' });
    const cut = await sendForm(harness, path, form([{ name: 'data', body: 'abc' }], false));
    expect(cut.status).toBe(400);
    expect(await objects(harness.deps)).toEqual(before);
  });

  it('keep no more than twice what was declared', async () => {
    const upload = await create(3);
    for (let index = 0; index < 3; index++)
      await client.uploads.parts.create(upload.id, await part(Buffer.from('abc')));
    await expect(client.uploads.parts.create(upload.id, await part(Buffer.from('abc')))).rejects.toMatchObject({
      status: 400,
      code: 'too_many_parts',
    });
  });

  it('answer unknown and foreign uploads with 404', async () => {
    const upload = await create(3);
    const { secret } = await harness.makeKey({ tenant_id: 'stranger' });
    const stranger = new OpenAI({ apiKey: secret, baseURL: client.baseURL, maxRetries: 0 });
    for (const id of [upload.id, 'upload_unknown']) {
      await expect(stranger.uploads.cancel(id)).rejects.toMatchObject({ status: 404 });
      await expect(stranger.uploads.complete(id, { part_ids: ['x'] })).rejects.toMatchObject({ status: 404 });
      await expect(stranger.uploads.parts.create(id, await part(Buffer.from('x')))).rejects.toMatchObject({
        status: 404,
      });
    }
  });

  it('give the same upload and part again under an Idempotency-Key', async () => {
    const once = { headers: { 'Idempotency-Key': 'upload-once' } };
    const body = { bytes: 3, filename: 'x', mime_type: 'text/plain', purpose: 'user_data' as const };
    const upload = await client.uploads.create(body, once);
    expect(await client.uploads.create(body, once)).toEqual(upload);
    const partOnce = { headers: { 'Idempotency-Key': 'part-once' } };
    const first = await client.uploads.parts.create(upload.id, await part(Buffer.from('abc')), partOnce);
    expect(await client.uploads.parts.create(upload.id, await part(Buffer.from('abc')), partOnce)).toEqual(first);
  });
});

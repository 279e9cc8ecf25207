import OpenAI, { toFile } from 'openai';
import { describe, expect, it } from 'vitest';
import { line } from '../services/file-inputs.ts';
import { content, serveFiles } from './files-served.ts';

const served = serveFiles();

describe('the official SDK', () => {
  it('creates, retrieves, lists, downloads and deletes a file', async () => {
    const made = await served.client.files.create({
      file: await toFile(Buffer.from(content), 'in.jsonl'),
      purpose: 'batch',
    });
    expect(made).toMatchObject({
      object: 'file',
      bytes: content.length,
      filename: 'in.jsonl',
      purpose: 'batch',
      status: 'processed',
      status_details: null,
      expires_at: made.created_at + 30 * 86_400,
    });
    expect(made.id).toMatch(/^file-[0-9A-Za-z]{25}$/);
    expect(await served.client.files.retrieve(made.id)).toEqual(made);
    expect(await (await served.client.files.content(made.id)).text()).toBe(content);
    expect((await served.client.files.list()).data.map((item) => item.id)).toContain(made.id);
    expect(await served.client.files.delete(made.id)).toEqual({ id: made.id, object: 'file', deleted: true });
    await expect(served.client.files.retrieve(made.id)).rejects.toBeInstanceOf(OpenAI.NotFoundError);
    await expect(served.client.files.content(made.id)).rejects.toMatchObject({ status: 404, code: 'not_found' });
    await expect(served.client.files.delete(made.id)).rejects.toMatchObject({ status: 404 });
  });

  it('sends expires_after', async () => {
    const made = await served.client.files.create({
      file: await toFile(Buffer.from('x'), 'x.bin'),
      purpose: 'user_data',
      expires_after: { anchor: 'created_at', seconds: 7_200 },
    });
    expect(made.expires_at).toBe(made.created_at + 7_200);
  });

  it('sends a file of 1,319 requests and gets the same bytes back', async () => {
    const text = Buffer.from(Array.from({ length: 1_319 }, (_, index) => line(`r${index}`)).join('\n'));
    const made = await served.client.files.create({ file: await toFile(text, 'real.jsonl'), purpose: 'batch' });
    const row = await served.harness.deps.store.files.getAny(made.id);
    expect(row?.plan).toMatchObject({ requests: 1_319, errorCount: 0 });
    expect(Buffer.compare(Buffer.from(await (await served.client.files.content(made.id)).arrayBuffer()), text)).toBe(0);
  });

  it('is told by 400 what is wrong with a file and by 413 that it is too large, while it still sends', async () => {
    await expect(
      served.client.files.create({ file: await toFile(Buffer.from('not json'), 'a.jsonl'), purpose: 'batch' }),
    ).rejects.toMatchObject({ status: 400, code: 'invalid_file_format', param: 'file' });
    await expect(
      served.client.files.create({ file: await toFile(Buffer.alloc(60_000_000, 'a'), 'a.bin'), purpose: 'user_data' }),
    ).rejects.toMatchObject({ status: 413, code: 'file_too_large' });
    expect((await served.client.files.list()).has_more).toBe(false);
  });
});

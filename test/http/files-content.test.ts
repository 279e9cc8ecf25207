import { beforeAll, describe, expect, it } from 'vitest';
import { create, file, purpose, serveFiles } from './files-served.ts';
import { ADMIN_SECRET, errorOf } from './harness.ts';

const served = serveFiles();

describe('GET /v1/files/{id}/content', () => {
  const text = `${'0123456789'.repeat(20_000)}`;
  let id: string;
  beforeAll(async () => {
    const made = await create(served, [
      { name: 'purpose', body: 'user_data' },
      { ...file, filename: "ü'();%<>.html", body: text },
    ]);
    id = made.id;
  });
  const get = (headers: Record<string, string> = {}, method = 'GET') =>
    fetch(`http://127.0.0.1:${served.server.port}/v1/files/${id}/content`, {
      method,
      headers: { authorization: `Bearer ${ADMIN_SECRET}`, ...headers },
    });

  it('sends the bytes with their length, tag and a safe type and name', async () => {
    const answer = await get();
    expect(answer.status).toBe(200);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-length': String(text.length),
      'accept-ranges': 'bytes',
      'content-type': 'application/octet-stream',
      'x-content-type-options': 'nosniff',
    });
    expect(answer.headers.get('content-disposition')).toMatch(
      /^attachment; filename="_'\(\);_<>\.html"; filename\*=UTF-8''%C3%BC%27%28%29%3B%25%3C%3E\.html$/,
    );
    expect(answer.headers.get('etag')).toMatch(/^"[0-9a-f]{64}"$/);
    expect(await answer.text()).toBe(text);
    const jsonl = await create(served, [purpose, file]);
    const download = await served.harness.send('GET', `/v1/files/${jsonl.id}/content`);
    expect(download.headers.get('content-type')).toBe('application/jsonl');
    await download.body?.cancel();
  });

  it('answers HEAD with the same headers and no body', async () => {
    const answer = await get({}, 'HEAD');
    expect([answer.status, answer.headers.get('content-length'), await answer.text()]).toEqual([
      200,
      String(text.length),
      '',
    ]);
  });

  it('answers 304 to a client that has it', async () => {
    const etag = (await get({}, 'HEAD')).headers.get('etag') ?? '';
    for (const tag of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
      const answer = await get({ 'if-none-match': tag });
      expect([answer.status, answer.headers.get('etag'), await answer.text()]).toEqual([304, etag, '']);
    }
    expect((await get({ 'if-none-match': '"other"' })).status).toBe(200);
  });

  it.each([
    ['bytes=0-9', 0, 9],
    ['bytes=199990-', 199_990, 199_999],
    ['bytes=-5', 199_995, 199_999],
    ['bytes=5-5', 5, 5],
    ['bytes=199999-500000', 199_999, 199_999],
    ['bytes=-999999', 0, 199_999],
  ])('serves the range %s', async (range, first, last) => {
    const answer = await get({ range });
    expect(answer.status).toBe(206);
    expect(answer.headers.get('content-range')).toBe(`bytes ${first}-${last}/${text.length}`);
    expect(answer.headers.get('content-length')).toBe(String(last - first + 1));
    expect(await answer.text()).toBe(text.slice(first, last + 1));
  });

  it.each(['bytes=200000-', 'bytes=300000-300001', 'bytes=-0'])(
    'answers 416 to %s and tells the size',
    async (range) => {
      const answer = await get({ range });
      expect(answer.status).toBe(416);
      expect(answer.headers.get('content-range')).toBe(`bytes */${text.length}`);
      expect((await errorOf(answer)).code).toBe('range_not_satisfiable');
    },
  );

  it.each(['bytes=9-0', 'lines=0-1', 'bytes=a-b', 'bytes=-', 'bytes=0-1,5-6', 'bytes'])(
    'sends the whole for %s',
    async (range) => {
      const answer = await get({ range });
      expect(answer.status).toBe(200);
      expect(await answer.text()).toBe(text);
    },
  );

  it('honours If-Range', async () => {
    const etag = (await get({}, 'HEAD')).headers.get('etag') ?? '';
    expect((await get({ range: 'bytes=0-1', 'if-range': etag })).status).toBe(206);
    expect((await get({ range: 'bytes=0-1', 'if-range': '"old"' })).status).toBe(200);
  });
});

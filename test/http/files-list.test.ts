import OpenAI, { toFile } from 'openai';
import { describe, expect, it } from 'vitest';
import { line } from '../services/file-inputs.ts';
import { create, file, purpose, serveFiles } from './files-served.ts';
import { errorOf } from './harness.ts';

const served = serveFiles();

describe('GET /v1/files', () => {
  it('pages through files in both orders, by purpose, and past a deleted cursor', async () => {
    const own = await served.harness.makeKey({ tenant_id: 'lister' });
    const asTenant = new OpenAI({ apiKey: own.secret, baseURL: served.client.baseURL, maxRetries: 0 });
    const ids: string[] = [];
    for (let index = 0; index < 7; index++) {
      const body = await toFile(Buffer.from(`${line(`r${index}`)}\n`), `${index}.jsonl`);
      ids.push((await asTenant.files.create({ file: body, purpose: index % 2 === 0 ? 'batch' : 'user_data' })).id);
    }
    const collect = async (query: OpenAI.FileListParams) => {
      const found: string[] = [];
      for await (const item of asTenant.files.list(query)) found.push(item.id);
      return found;
    };
    expect(await collect({})).toEqual(ids.toReversed());
    expect(await collect({ limit: 2 })).toEqual(ids.toReversed());
    expect(await collect({ limit: 3, order: 'asc' })).toEqual(ids);
    expect(await collect({ purpose: 'user_data', limit: 1 })).toEqual([ids[5], ids[3], ids[1]]);
    const list = async (query: string) =>
      (await served.harness.send('GET', `/v1/files?${query}`, { key: own.secret })).json();
    expect(await list('limit=2')).toMatchObject({ object: 'list', first_id: ids[6], last_id: ids[5], has_more: true });
    expect(await list('limit=7')).toMatchObject({ first_id: ids[6], last_id: ids[0], has_more: false });
    await asTenant.files.delete(ids[5]!);
    expect((await asTenant.files.list({ after: ids[5]! })).data.map((item) => item.id)).toEqual(
      ids.slice(0, 5).reverse(),
    );
    expect(await list('purpose=vision')).toEqual({
      object: 'list',
      data: [],
      first_id: null,
      last_id: null,
      has_more: false,
    });
  });

  it.each(['limit=0', 'limit=10001', 'limit=-1', 'limit=x', 'limit=', 'limit=1.5', 'order=up', 'after=file-unknown'])(
    'refuses ?%s with 400',
    async (query) => {
      const answer = await served.harness.send('GET', `/v1/files?${query}`);
      expect(answer.status).toBe(400);
      expect((await errorOf(answer)).param).toBe(query.split('=')[0]);
    },
  );

  it('answers unknown and foreign ids alike, with 404', async () => {
    const { id } = await create(served, [purpose, file]);
    const { secret } = await served.harness.makeKey({ tenant_id: 'stranger' });
    for (const path of ['', '/content']) {
      const foreign = await served.harness.send('GET', `/v1/files/${id}${path}`, { key: secret });
      const unknown = await served.harness.send('GET', `/v1/files/${id.slice(0, -4)}zzzz${path}`, { key: secret });
      expect([foreign.status, unknown.status]).toEqual([404, 404]);
      const text = async (answer: Response, shown: string) => (await answer.text()).replace(shown, '');
      expect(await text(foreign, id)).toBe(await text(unknown, `${id.slice(0, -4)}zzzz`));
    }
    expect((await served.harness.send('DELETE', `/v1/files/${id}`, { key: secret })).status).toBe(404);
    expect((await served.harness.send('GET', `/v1/files/${id}`)).status).toBe(200);
    for (const odd of ['file-..%2f..%2fetc', '%00', 's3:%2f%2fbucket', '__proto__']) {
      expect((await served.harness.send('GET', `/v1/files/${odd}/content`)).status).toBe(404);
    }
  });
});

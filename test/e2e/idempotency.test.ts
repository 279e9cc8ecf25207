import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, codeOf, connectAs, post, refusalOf, upload } from './answers.ts';
import { assertInvariants } from './invariants.ts';
import {
  chatLines,
  type Pools,
  splitConfig,
  startPools,
  startWeir,
  submit,
  temporaryFolder,
  type Weir,
  waitForBatch,
} from './weir.ts';

let pools: Pools;
let weir: Weir;
let folder: string;
let config: object;
let keys = 0;
const input = chatLines(5);

beforeAll(async () => {
  pools = await startPools([{ models: ['gpt-4o-mini'] }]);
  config = splitConfig([pools.servers[0]?.baseUrl ?? ''], [1]);
  folder = await temporaryFolder();
  weir = await startWeir(config, { folder });
});
afterAll(async () => {
  await weir?.stop();
  await pools?.stop();
  await rm(folder, { recursive: true, force: true });
});

const create = async (change: object = {}) => ({
  input_file_id: await upload(weir, input),
  endpoint: '/v1/chat/completions',
  completion_window: 'immediate',
  ...change,
});
const newKey = () => ({ 'idempotency-key': `key-${++keys}` });
const batchIds = async () => (await weir.client.batches.list({ limit: 100 })).data.map((batch) => batch.id);

describe('a create under an Idempotency-Key', () => {
  it('sent twice: one batch, and the same answer, though it has ended meanwhile', async () => {
    const [body, key, before] = [await create(), newKey(), await batchIds()];
    const received = pools.servers[0]?.counters.received ?? 0;
    const first = await post(weir, '/v1/batches', body, key);
    await waitForBatch(weir, String(first.body.id));
    const second = await post(weir, '/v1/batches', body, key);
    expect(second).toMatchObject({ status: 200, body: first.body });
    expect(second.headers.get('idempotent-replayed')).toBe('true');
    expect((await batchIds()).filter((id) => !before.includes(id))).toEqual([first.body.id]);
    expect(pools.servers[0]?.counters.received).toBe(received + 5);
    await assertInvariants(weir, String(first.body.id), input);
  });

  it('sent twenty times at once: one batch; whoever came too early is told to come again', async () => {
    const [body, key, before] = [await create(), newKey(), await batchIds()];
    const answers = await Promise.all(Array.from({ length: 20 }, () => post(weir, '/v1/batches', body, key)));
    const ids = new Set(answers.filter(({ status }) => status === 200).map((answer) => answer.body.id));
    expect(ids.size).toBe(1);
    for (const answer of answers.filter(({ status }) => status !== 200)) {
      expect([answer.status, codeOf(answer)]).toEqual([409, 'idempotency_key_in_use']);
      expect(answer.headers.get('retry-after')).toBe('1');
    }
    const [id] = (await batchIds()).filter((each) => !before.includes(each));
    expect([...ids]).toEqual([id]);
    await waitForBatch(weir, String(id));
    await assertInvariants(weir, String(id), input);
  });

  it.each([
    ['another body', { metadata: { a: 'b' } }, {}],
    ['another route by header', {}, { 'x-weir-config': 'split' }],
  ])('sent again with %s: 409 idempotency_key_reused, and no batch', async (_name, change, headers) => {
    const [body, key] = [await create(), newKey()];
    const first = await post(weir, '/v1/batches', body, key);
    const before = await batchIds();
    const second = await post(weir, '/v1/batches', { ...body, ...change }, { ...key, ...headers });
    expect([second.status, codeOf(second)]).toEqual([409, 'idempotency_key_reused']);
    expect(await batchIds()).toEqual(before);
    await waitForBatch(weir, String(first.body.id));
  });

  it('refused: the same refusal again', async () => {
    const [body, key] = [await create({ endpoint: '/v1/nothing' }), newKey()];
    const answers = [await post(weir, '/v1/batches', body, key), await post(weir, '/v1/batches', body, key)];
    expect(answers[0]?.status).toBe(400);
    expect(answers[1]?.body).toEqual(answers[0]?.body);
  });

  it('of another tenant: a batch of its own', async () => {
    const key = newKey();
    const bob = await connectAs(weir, `tenant-${keys}`);
    const first = await post(weir, '/v1/batches', await create(), key);
    const body = { ...(await create()), input_file_id: await upload(bob, input) };
    const second = await post(bob, '/v1/batches', body, key);
    expect(second.status).toBe(200);
    expect(second.body.id).not.toBe(first.body.id);
    await waitForBatch(weir, String(first.body.id));
    await waitForBatch(bob, String(second.body.id));
  });

  it('sent again after a restart: the same batch', async () => {
    const [body, key] = [await create(), newKey()];
    const first = await post(weir, '/v1/batches', body, key);
    await weir.stop();
    weir = await startWeir(config, { folder });
    const second = await post(weir, '/v1/batches', body, key);
    expect(second.body).toEqual(first.body);
    await waitForBatch(weir, String(first.body.id));
    await assertInvariants(weir, String(first.body.id), input);
  });
});

describe('other POSTs', () => {
  it('an upload under one key, twice: one file', async () => {
    const [key, before] = [newKey(), (await weir.client.files.list()).data.length];
    const send = () =>
      weir.client.files.create({ file: new File([input], 'x.jsonl'), purpose: 'batch' }, { headers: key });
    const [first, second] = [await send(), await send()];
    expect(second).toEqual(first);
    expect((await weir.client.files.list()).data).toHaveLength(before + 1);
  });

  it('creates without a key are creates: two batches', async () => {
    const body = await create();
    const [first, second] = [await post(weir, '/v1/batches', body), await post(weir, '/v1/batches', body)];
    expect(first.body.id).not.toBe(second.body.id);
    for (const { id } of [first.body, second.body]) await waitForBatch(weir, String(id));
  });

  it.each(['', 'x'.repeat(256), 'caf\u00e9'])('a key of %j: 400', async (key) => {
    const answer = await post(weir, '/v1/batches', await create(), { 'idempotency-key': key });
    expect(answer.status).toBe(400);
  });
});

describe('lists', () => {
  it('page by page, newest first, each batch once, though others are created meanwhile', async () => {
    const tenant = await connectAs(weir, 'pages');
    const made: string[] = [];
    for (let index = 0; index < 9; index++) made.push((await submit(tenant, chatLines(1))).id);
    const seen: string[] = [];
    let page = await tenant.client.batches.list({ limit: 4 });
    for (;;) {
      seen.push(...page.data.map((batch) => batch.id));
      expect(page.data.length).toBeLessThanOrEqual(4);
      if (!page.has_more) break;
      await submit(tenant, chatLines(1));
      page = await tenant.client.batches.list({ limit: 4, after: seen.at(-1) as string });
    }
    expect(seen).toEqual(made.toReversed());
    for (const { id } of (await tenant.client.batches.list({ limit: 100 })).data) await waitForBatch(tenant, id);
  });

  it('go on after a file that was deleted', async () => {
    const tenant = await connectAs(weir, 'cursors');
    const made: string[] = [];
    for (let index = 0; index < 4; index++) made.push(await upload(tenant, chatLines(1)));
    await tenant.client.files.delete(made[1] as string);
    const page = await tenant.client.files.list({ after: made[1] as string, order: 'asc' });
    expect(page.data.map((file) => file.id)).toEqual(made.slice(2));
  });

  it.each(['0', '101', '-1', '1.5', 'x', ''])('of batches with limit=%s: 400', async (limit) => {
    const answer = await ask(weir, `/v1/batches?limit=${limit}`);
    expect(answer).toMatchObject({ status: 400, body: { error: { param: 'limit' } } });
  });

  it('after an id that is not there: refused', async () => {
    expect((await ask(weir, '/v1/batches?after=batch_unknown')).status).toBe(404);
    expect(await refusalOf(weir.client.files.list({ after: 'file-unknown' }))).toMatchObject({ param: 'after' });
  });

  it('of nothing: an empty page', async () => {
    const tenant = await connectAs(weir, 'empty');
    const empty = { object: 'list', data: [], first_id: null, last_id: null, has_more: false };
    expect((await ask(tenant, '/v1/batches')).body).toEqual(empty);
    expect((await ask(tenant, '/v1/files')).body).toEqual(empty);
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, codeOf, connectAs, post, refusalOf } from './answers.ts';
import { assertInvariants, readEntries } from './invariants.ts';
import { chatLines, type Pools, splitConfig, startPools, startWeir, submit, type Weir, waitForBatch } from './weir.ts';

type Client = Awaited<ReturnType<typeof connectAs>>;

describe('two tenants', () => {
  let pools: Pools;
  let weir: Weir;
  let alice: Client;
  let bob: Client;
  const input = chatLines(6, (index) => (index === 5 ? { model: 'nobody-has-it' } : {}));
  let hers: { batch: string; input: string; output: string; errors: string };

  beforeAll(async () => {
    pools = await startPools([{ models: ['gpt-4o-mini'] }]);
    weir = await startWeir(splitConfig([pools.servers[0]?.baseUrl ?? ''], [1]));
    alice = await connectAs(weir, 'alice');
    bob = await connectAs(weir, 'bob');
    const { id } = await submit(alice, input, { metadata: { project: 'secret' } });
    const ended = await waitForBatch(alice, id);
    hers = {
      batch: id,
      input: ended.input_file_id,
      output: ended.output_file_id ?? '',
      errors: ended.error_file_id ?? '',
    };
  });
  afterAll(async () => {
    await weir?.stop();
    await pools?.stop();
  });

  it('the owner sees all of her own', async () => {
    await assertInvariants(alice, hers.batch, input);
    expect((await alice.client.batches.list()).data.map((batch) => batch.id)).toEqual([hers.batch]);
    expect((await alice.client.files.list()).data).toHaveLength(3);
  });

  it('another tenant’s id is answered word for word as one that does not exist', async () => {
    const invented = {
      batch: hers.batch.replace(/.{8}$/, 'AAAAAAAA'),
      file: hers.input.replace(/.{8}$/, 'AAAAAAAA'),
    };
    const paths: [string, string, string?][] = [
      ['GET', '/v1/batches/BATCH'],
      ['GET', '/v1/batches/BATCH/output'],
      ['GET', '/v1/batches/BATCH/output?follow=true'],
      ['GET', '/v1/batches/BATCH/requests'],
      ['GET', '/v1/batches/BATCH/ledger'],
      ['POST', '/v1/batches/BATCH/cancel'],
      ['POST', '/v1/batches/BATCH/pause'],
      ['POST', '/v1/batches/BATCH/resume'],
      ['POST', '/v1/batches/BATCH/retry'],
      ['GET', '/v1/batches?after=BATCH'],
      ['GET', '/v1/files/FILE'],
      ['GET', '/v1/files/FILE/content'],
      ['DELETE', '/v1/files/FILE'],
      ['GET', '/v1/files?after=FILE'],
      ['POST', '/v1/batches', '{"input_file_id":"FILE","endpoint":"/v1/chat/completions","completion_window":"24h"}'],
    ];
    for (const [method, path, body] of paths) {
      const answers = [];
      for (const ids of [{ batch: hers.batch, file: hers.input }, invented]) {
        const fill = (text: string) => text.replace('BATCH', ids.batch).replace('FILE', ids.file);
        const headers = { 'content-type': 'application/json' };
        const init = { method, headers, ...(body !== undefined && { body: fill(body) }) };
        const answer = await ask(bob, fill(path), init);
        const text = JSON.stringify(answer.body).replaceAll(ids.batch, 'BATCH').replaceAll(ids.file, 'FILE');
        answers.push({ status: answer.status, text });
      }
      expect(answers[0], `${method} ${path}`).toEqual(answers[1]);
      expect([400, 404], `${method} ${path}`).toContain(answers[0]?.status);
    }
    await assertInvariants(alice, hers.batch, input);
  });

  it('output and error files of another tenant: 404, content too', async () => {
    for (const id of [hers.output, hers.errors]) {
      expect(await refusalOf(bob.client.files.retrieve(id))).toMatchObject({ status: 404 });
      expect(await refusalOf(bob.client.files.content(id))).toMatchObject({ status: 404 });
      expect(await refusalOf(bob.client.files.delete(id))).toMatchObject({ status: 404 });
    }
  });

  it('lists, ledger and sums of another tenant are empty', async () => {
    expect((await bob.client.batches.list()).data).toEqual([]);
    expect((await bob.client.files.list()).data).toEqual([]);
    for (const query of ['', `?batch=${hers.batch}`, `?key=${alice.keyId}`, '?tag=project:secret']) {
      const { status, body } = await ask(bob, `/v1/ledger/entries${query}`);
      if (status === 200) expect(body.data, query).toEqual([]);
      else expect([400, 404]).toContain(status);
    }
    const { body } = await ask(bob, '/v1/ledger/summary?group_by=provider');
    expect(body).toMatchObject({ data: [], total: { entries: 0, amount_nano_usd: 0 } });
    expect((await readEntries(alice, hers.batch)).length).toBeGreaterThan(0);
  });

  it('ids of providers are no ids: 404 wherever one is taken', async () => {
    const ids = [
      'file-abc123',
      'batch_abc123',
      'msgbatch_01',
      'arn:aws:bedrock:us-east-1:1:model-invocation-job/x',
      's3://b/k',
    ];
    for (const id of ids.map(encodeURIComponent)) {
      for (const path of [`/v1/batches/${id}`, `/v1/files/${id}`, `/v1/files/${id}/content`]) {
        expect((await ask(bob, path)).status, path).toBe(404);
      }
    }
    for (const id of [...ids, '../files/x', 'projects/p/locations/l/batchPredictionJobs/1', '\u0000']) {
      const create = { input_file_id: id, endpoint: '/v1/chat/completions', completion_window: '24h' };
      expect((await post(bob, '/v1/batches', create)).status).toBe(400);
    }
  });

  it('ids cannot be guessed: 128 bits or more, and two in a row have nothing in common', async () => {
    const made = await Promise.all(Array.from({ length: 20 }, () => submit(alice, chatLines(1))));
    const ids = made.flatMap((batch) => [batch.id, batch.input_file_id]).map((id) => id.replace(/^(batch_|file-)/, ''));
    for (const id of ids) expect(id.length * Math.log2(62)).toBeGreaterThanOrEqual(128);
    for (let place = 2; place < 20; place++) {
      expect(new Set(ids.map((id) => id[place])).size, `character ${place}`).toBeGreaterThan(8);
    }
    for (const { id } of made) await waitForBatch(alice, id);
  });

  it('metadata sets nothing but tags: no owner, no price, no status', async () => {
    const metadata = JSON.parse(
      '{"tenant_id":"bob","key_id":"x","amount_nano_usd":"0","price":"0","provider":"none","status":"completed","constructor":"y"}',
    ) as Record<string, string>;
    const text = chatLines(2);
    const { id, metadata: stored } = await submit(alice, text, { metadata });
    expect(Object.entries(stored ?? {}).toSorted()).toEqual(Object.entries(metadata).toSorted());
    await waitForBatch(alice, id);
    const { batch, entries } = await assertInvariants(alice, id, text);
    expect(batch.cost.amount_nano_usd).toBeGreaterThan(0);
    for (const entry of entries) {
      expect(entry).toMatchObject({ provider: 'pool-a', key_id: alice.keyId, status: 'succeeded' });
      expect(Object.entries(entry.tags).toSorted()).toEqual(Object.entries(metadata).toSorted());
    }
    expect((await bob.client.batches.list()).data).toEqual([]);
  });

  it('__proto__ as a metadata key: 400, and nothing is polluted', async () => {
    const create = `{"input_file_id":"${hers.input}","endpoint":"/v1/chat/completions","completion_window":"24h","metadata":{"__proto__":"x"}}`;
    const headers = { 'content-type': 'application/json' };
    const answer = await ask(alice, '/v1/batches', { method: 'POST', headers, body: create });
    expect(answer).toMatchObject({ status: 400, body: { error: { param: 'metadata' } } });
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  it('an administrator who starts a batch on a tenant’s file: batch and results are the tenant’s', async () => {
    const text = chatLines(2);
    const file = await alice.client.files.create({ file: new File([text], 'x.jsonl'), purpose: 'batch' });
    const created = await post(weir, '/v1/batches', {
      input_file_id: file.id,
      endpoint: '/v1/chat/completions',
      completion_window: 'immediate',
    });
    const ended = await waitForBatch(alice, String(created.body.id));
    await assertInvariants(alice, ended.id, text);
    expect((await alice.client.files.retrieve(ended.output_file_id ?? '')).id).toBe(ended.output_file_id);
    expect(await refusalOf(bob.client.batches.retrieve(ended.id))).toMatchObject({ status: 404 });
    expect((await weir.client.batches.list()).data).toEqual([]);
  });

  it('a key that is revoked while its batch runs: 401 for the caller, the batch is finished for its tenant', async () => {
    pools.servers[0]?.configure({ latency_ms: 100 });
    const leaver = await connectAs(weir, 'alice');
    const text = chatLines(80);
    const { id } = await submit(leaver, text);
    await waitForBatch(alice, id, { until: (batch) => batch.status === 'in_progress' });
    expect((await ask(weir, `/v1/keys/${leaver.keyId}`, { method: 'DELETE' })).status).toBe(200);
    expect(await refusalOf(leaver.client.batches.retrieve(id))).toMatchObject({ status: 401 });
    pools.servers[0]?.configure({ latency_ms: 0 });
    expect((await waitForBatch(alice, id)).status).toBe('completed');
    const { entries } = await assertInvariants(alice, id, text);
    expect(entries.every((entry) => entry.key_id === leaver.keyId)).toBe(true);
  });

  it('no key, an unknown key, another’s key: the same 401', async () => {
    const answers = [];
    const key = String(bob.client.apiKey);
    const almost = key.slice(0, -1) + (key.endsWith('x') ? 'y' : 'x');
    for (const authorization of ['', 'Bearer wrong-key', `Bearer ${almost}`]) {
      const response = await fetch(`${weir.url}/v1/batches/${hers.batch}`, { headers: { authorization } });
      answers.push([response.status, codeOf({ body: (await response.json()) as Record<string, unknown> })]);
    }
    expect(new Set(answers.map(String))).toEqual(new Set(['401,invalid_api_key']));
  });

  it('users administer nothing: 403', async () => {
    for (const path of ['/v1/keys', '/v1/providers']) expect((await ask(bob, path)).status, path).toBe(403);
    expect((await post(bob, '/v1/keys', { name: 'mine', role: 'admin' })).status).toBe(403);
  });
});

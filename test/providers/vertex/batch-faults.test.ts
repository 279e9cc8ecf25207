import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type {
  BatchApi,
  BatchCall,
  BatchResult,
  Provider,
  ProviderBatch,
  ProviderRefs,
} from '../../../providers/contract.ts';
import { startVertexServer, type VertexServer } from '../../../providers/sandbox/servers/vertex.ts';
import type { VertexChanges } from '../../../providers/sandbox/servers/vertex-settings.ts';
import { GcsBucket } from '../../../providers/shared/gcs.ts';
import { GoogleTokens } from '../../../providers/shared/google-auth.ts';
import { GoogleClient } from '../../../providers/shared/google-auth-fetch.ts';
import { createNodeHttpClient } from '../../../providers/shared/http-node.ts';
import { readOutput } from '../../../providers/vertex/output.ts';
import type { HttpClient } from '../../../src/ports/http-client.ts';
import { failureOf, gather } from '../../contract/provider-batch-setup.ts';
import { createProvider } from '../kinds.ts';
import { bucket, entryOf, issueToken } from './batch-subject.ts';

describe('native batches on Vertex AI', () => {
  let server: VertexServer;
  let http: HttpClient;
  let provider: Provider;
  let refs: ProviderRefs;
  beforeEach(async () => {
    server = await startVertexServer({ states: ['JOB_STATE_RUNNING', 'JOB_STATE_SUCCEEDED'] });
    http = createNodeHttpClient();
    provider = createProvider('vertex', entryOf(server));
    refs = {};
  });
  afterEach(async () => {
    await http.close();
    await server.stop();
  });

  function api(): BatchApi {
    if (provider.batch === undefined) throw new Error('no batch service');
    return provider.batch;
  }

  const call = (changes: Partial<BatchCall> = {}): BatchCall => ({
    http,
    fetch,
    timeoutMs: 5000,
    maxResponseBytes: 10e6,
    nowMs: Date.now(),
    saved: async (saved) => {
      refs = { ...refs, ...saved };
    },
    ...changes,
  });

  const chat = (text: string) => ({ messages: [{ role: 'user', content: text }] });

  /** Native lines, one request after the other; `r-<index>` are their keys. */
  function linesOf(bodies: Record<string, unknown>[], model: string): string {
    const endpoint = bodies[0]?.input === undefined ? '/v1/chat/completions' : '/v1/embeddings';
    return bodies
      .map((body, index) => {
        const converted = provider.convert({ customId: 'c', endpoint, body }, model);
        if (!converted.ok) throw new Error(converted.failure.message);
        return `${api().line(`r-${index}`, converted.request)}\n`;
      })
      .join('');
  }

  async function submit(
    bodies: Record<string, unknown>[],
    model = 'gemini-2.5-flash',
    options = {},
  ): Promise<ProviderBatch> {
    const text = Buffer.from(linesOf(bodies, model));
    const endpoint = bodies[0]?.input === undefined ? '/v1/chat/completions' : '/v1/embeddings';
    const open = async function* () {
      yield text;
    };
    const input = {
      token: 'shard-1-1',
      endpoint,
      model,
      lines: bodies.length,
      bytes: text.length,
      open,
      options,
    } as const;
    return api().submit(input, call());
  }

  /** Polls until the batch is over; the simulated job takes one state further with each poll. */
  async function over(batch: ProviderBatch) {
    for (let polls = 0; polls < 20; polls += 1) {
      const progress = await api().poll(batch, call());
      const known = { id: batch.id, refs: { ...batch.refs, ...progress.refs } };
      if (progress.state !== 'running') return { progress, batch: known };
    }
    throw new Error('still running after twenty polls');
  }

  async function run(bodies: Record<string, unknown>[], model?: string): Promise<BatchResult[]> {
    const { batch } = await over(await submit(bodies, model));
    return gather(api().results(batch, call()));
  }

  const byKey = (results: BatchResult[]) => new Map(results.map((one) => [one.key, one.result]));
  const rows = (changes: NonNullable<VertexChanges['rows']>) => server.configure({ rows: changes });
  const two = [chat('first'), chat('second')];

  it('creates the job as the service wants it, with the token in all its places', async () => {
    await submit(two, 'gemini-2.5-flash', {
      labels: { team: 'a' },
      encryption_spec: { kms_key_name: 'projects/p/locations/l/keyRings/k/cryptoKeys/c' },
    });
    expect(server.jobs.all).toMatchObject([
      {
        displayName: 'weir-shard-1-1',
        model: 'publishers/google/models/gemini-2.5-flash',
        inputConfig: { instancesFormat: 'jsonl', gcsSource: { uris: [`gs://${bucket}/weir/shard-1-1/input.jsonl`] } },
        outputConfig: { gcsDestination: { outputUriPrefix: `gs://${bucket}/weir/shard-1-1/output` } },
        labels: { team: 'a', weir_token: 'shard-1-1' },
        instanceConfig: { instanceType: 'object', excludedFields: ['key'] },
        encryptionSpec: { kmsKeyName: 'projects/p/locations/l/keyRings/k/cryptoKeys/c' },
      },
    ]);
    expect(server.store.get(bucket, 'weir/shard-1-1/input.jsonl')?.bytes.toString().split('\n')[0]).toBe(
      '{"key":"r-0","request":{"labels":{"weir_key":"r-0"},"contents":[{"role":"user","parts":[{"text":"first"}]}]}}',
    );
  });

  it.each([
    [{ outputConfig: {} }, 'provider_options.outputConfig'],
    [{ serviceAccount: 'x@y' }, 'provider_options.serviceAccount'],
    [{ labels: { Team: 'a' } }, 'provider_options.labels'],
    [{ encryption_spec: { kms_key_name: '../x' } }, 'provider_options.encryption_spec'],
  ])('lets a client choose no places or identities: %j', async (options, param) => {
    expect(await failureOf(submit(two, undefined, options))).toMatchObject({ kind: 'invalid_request', param });
    expect(server.counters).toMatchObject({ uploads: 0, creates: 0 });
  });

  it('answers each line with its own text, however the rows are shuffled and the echo is rewritten', async () => {
    server.configure({ output_shards: 3, seed: 9 });
    const bodies = Array.from({ length: 40 }, (_, index) => chat(`question ${index}`));
    const results = await run(bodies);
    expect(results.map(({ key }) => key)).not.toEqual(bodies.map((_, index) => `r-${index}`));
    const { immediate } = provider;
    for (const [index, body] of bodies.entries()) {
      const converted = provider.convert({ customId: 'c', endpoint: '/v1/chat/completions', body }, 'gemini-2.5-flash');
      if (!converted.ok || immediate === undefined) throw new Error('not converted');
      const alone = await immediate.execute(converted.request, { ...call(), member: server.url });
      expect(byKey(results).get(`r-${index}`)?.body).toBe(alone.body);
    }
  });

  it('tells identical lines apart by their keys (invariants 41)', async () => {
    const results = await run([chat('same'), chat('same'), chat('same')]);
    expect([...byKey(results).keys()].toSorted()).toEqual(['r-0', 'r-1', 'r-2']);
  });

  it('gives no line an answer when rows without any id come back for identical lines (invariants 41)', async () => {
    rows({ without_keys: true, without_labels: true });
    const results = await run([chat('same'), chat('same')]);
    expect(results.map(({ key }) => key)).toEqual([null, null]);
  });

  it.each([{ without_keys: true }, { without_labels: true }])(
    'matches rows by the id that is left: %j',
    async (lost) => {
      rows(lost);
      expect([...byKey(await run(two)).keys()].toSorted()).toEqual(['r-0', 'r-1']);
    },
  );

  it('detects rows whose echoed request is of another line (invariants 41)', async () => {
    rows({ swapped_echoes: true });
    for (const { result } of await run(two)) {
      expect(result).toMatchObject({ ok: false, failure: { kind: 'bad_response', code: 'answer_mixed_up' } });
    }
  });

  it('hands on both of two rows for one line, for the caller to choose', async () => {
    rows({ duplicated: true });
    const results = await run(two);
    expect(results.map(({ key }) => key).toSorted()).toEqual(['r-0', 'r-0', 'r-1', 'r-1']);
  });

  it('reports rows that failed under their keys, with what the service said', async () => {
    server.configure({ fail_rows: [{ contains: 'second', status: '{"code": 8, "message": "Resource exhausted"}' }] });
    const { progress, batch } = await over(await submit(two));
    expect(progress.counts).toEqual({ total: 2, succeeded: 1, failed: 1 });
    const results = byKey(await gather(api().results(batch, call())));
    expect(results.get('r-0')?.ok).toBe(true);
    expect(results.get('r-1')).toMatchObject({ ok: false, failure: { kind: 'rate_limited', status: 429 } });
    expect(results.get('r-1')?.body).toContain('Resource exhausted');
  });

  it('rejects when fewer rows are there than the job counted (invariants 38)', async () => {
    rows({ missing_last: 1 });
    expect(await failureOf(run(two))).toMatchObject({ kind: 'server_error', code: 'output_incomplete' });
  });

  it('rejects, and later succeeds, when the listing shows the output late (invariants 40)', async () => {
    server.configure({ hidden_listings: 2 });
    const { batch } = await over(await submit(two));
    for (let tries = 0; tries < 2; tries += 1) {
      expect(await failureOf(gather(api().results(batch, call())))).toMatchObject({ code: 'output_incomplete' });
    }
    expect(await gather(api().results(batch, call()))).toHaveLength(2);
  });

  it('keeps whole rows when the last one is cut off (invariants 37)', async () => {
    rows({ truncated_last: true });
    const results = await run(two);
    expect(results.map(({ result }) => result.ok).toSorted()).toEqual([false, true]);
    expect(results.filter(({ key }) => key === null)).toHaveLength(1);
  });

  it('keeps the other rows when one is longer than an answer may be', async () => {
    rows({ garbage: ['x'.repeat(200_000)] });
    const { batch } = await over(await submit(two));
    const results = await gather(api().results(batch, call({ maxResponseBytes: 100_000 })));
    expect(results.map(({ result }) => result.ok).toSorted()).toEqual([false, true, true]);
  });

  it('takes a 404 or 403 of the storage for what it is, never for an empty output (Portkey 23)', async () => {
    const { batch } = await over(await submit(two));
    for (const [status, kind] of [
      [404, 'not_found'],
      [403, 'permission'],
    ] as const) {
      server.configure({ faults: [{ on: 'alt=media', fault: status }] });
      expect(await failureOf(gather(api().results(batch, call())))).toMatchObject({ kind });
    }
  });

  it('reads no output from a place that is not its own (security 14)', async () => {
    server.configure({ foreign_output: 'gs://other-bucket/weir/shard-1-1/output/x' });
    expect(await failureOf(run(two))).toMatchObject({ code: 'foreign_address' });
    expect(server.counters.downloads).toBe(0);
  });

  it('asks for no job but one that the service could have named', async () => {
    const id = 'projects/p/locations/l/batchPredictionJobs/1/../../../publishers';
    for (const ask of [api().poll({ id, refs: {} }, call()), api().cancel({ id, refs: {} }, call())]) {
      expect(await failureOf(ask)).toMatchObject({ code: 'foreign_address' });
    }
    expect(server.counters.gets).toBe(0);
  });

  const ended = { SUCCEEDED: 'completed', PARTIALLY_SUCCEEDED: 'completed', EXPIRED: 'expired' };
  it.each(Object.entries(ended))('takes JOB_STATE_%s with output for ended: %s', async (word, reason) => {
    server.configure({ states: ['JOB_STATE_RUNNING', `JOB_STATE_${word}`] });
    const { progress, batch } = await over(await submit(two));
    expect(progress).toMatchObject({ state: 'ended', reason, raw: `JOB_STATE_${word}` });
    expect(await gather(api().results(batch, call()))).toHaveLength(word === 'SUCCEEDED' ? 2 : 1);
  });

  it.each(['QUEUED', 'PENDING', 'RUNNING', 'UPDATING', 'PAUSED', 'CANCELLING', 'UNSPECIFIED', 'DREAMING'])(
    'takes JOB_STATE_%s for running',
    async (word) => {
      server.configure({ states: [`JOB_STATE_${word}`] });
      const batch = await submit(two);
      expect(await api().poll(batch, call())).toMatchObject({ state: 'running', raw: `JOB_STATE_${word}` });
    },
  );

  it('says why a job failed, and that a full quota is a matter of time', async () => {
    server.configure({ states: ['JOB_STATE_FAILED'] });
    expect((await over(await submit(two))).progress).toMatchObject({
      state: 'failed',
      reason: 'failed',
      failure: { kind: 'invalid_request', message: expect.stringContaining('not valid') },
    });
    server.configure({
      job_error: {
        code: 7,
        message:
          'service-123456789012@gcp-sa-aiplatform.iam.gserviceaccount.com of projects/my-project (project number 123456789012) may not read gs://my-bucket/x',
      },
    });
    const { failure } = (await over(await submit(two))).progress;
    expect(failure).toMatchObject({ kind: 'permission' });
    expect(failure?.message).not.toMatch(/my-bucket|my-project|gserviceaccount|123456789012/);
  });

  it('takes job slots that are all in use for a full quota (invariants 21)', async () => {
    server.configure({ job_slots: 1, hold_before: 'JOB_STATE_SUCCEEDED' });
    await submit(two);
    expect(await failureOf(submit(two))).toMatchObject({ kind: 'quota_full', status: 429 });
  });

  it('waits for a service agent that is being made (invariants 25)', async () => {
    const message = 'Service agents are being provisioned (https://cloud.google.com/x). Try again in a few minutes.';
    server.configure({
      faults: [{ on: 'POST .*batchPredictionJobs$', fault: 400, message, word: 'FAILED_PRECONDITION' }],
    });
    expect(await failureOf(submit(two))).toMatchObject({ kind: 'server_error', code: 'service_agent_not_ready' });
  });

  it('says that a bucket in another place is not there (invariants 25)', async () => {
    provider = createProvider('vertex', entryOf(server, { bucket: 'no-such-bucket' }));
    expect(await failureOf(submit(two))).toMatchObject({ kind: 'not_found', status: 404 });
  });

  it('leaves alone the files of others, also under tokens that begin alike', async () => {
    const { batch } = await over(await submit(two));
    server.store.put(bucket, 'weir/shard-1-10/input.jsonl', Buffer.from('x'));
    const removed = await api().cleanup({ ...refs, ...batch.refs }, call());
    expect(removed.every((uri) => uri.startsWith(`gs://${bucket}/weir/shard-1-1/`))).toBe(true);
    expect(server.store.list(bucket, 'weir/').map(({ name }) => name)).toEqual(['weir/shard-1-10/input.jsonl']);
    for (const uri of [`gs://${bucket}/weir/`, `gs://other/weir/x/input.jsonl`, `gs://${bucket}/input.jsonl`, '']) {
      expect(await api().cleanup({ input_uri: uri }, call())).toEqual([]);
    }
  });

  it('finds and lists over all pages', async () => {
    server.configure({ list_page: 1 });
    const first = await submit(two);
    await submit(two);
    expect(await api().find('shard-1-1', {}, call())).toMatchObject({
      id: first.id,
      refs: { model: 'gemini-2.5-flash' },
    });
    expect((await gather(api().inventory(call()))).filter(({ kind }) => kind === 'batch')).toHaveLength(2);
  });

  it('survives a crash of the service between submit and results', async () => {
    const batch = await submit(two);
    await server.crash();
    expect(await failureOf(api().poll(batch, call()))).toMatchObject({ kind: 'connection' });
    await server.restart();
    const { batch: known } = await over(batch);
    expect(await gather(api().results(known, call()))).toHaveLength(2);
  });

  describe('of embeddings', () => {
    const model = 'text-embedding-005';

    async function vectorsOf(result: BatchResult['result'] | undefined): Promise<unknown> {
      if (result?.ok !== true) throw new Error(result?.failure.message ?? 'no result');
      return (JSON.parse(result.body) as { data: unknown }).data;
    }

    const mixed = [
      { input: 'alone' },
      { input: ['a', 'b', 'c'], dimensions: 4 },
      { input: ['d', 'e'], dimensions: 8, encoding_format: 'base64' },
      ...Array.from({ length: 20 }, (_, index) => ({ input: [`x${index}`, `y${index}`] })),
    ];

    it('are put together again from a line for each text, as immediate mode answers them', async () => {
      server.configure({ output_shards: 4 });
      const results = byKey(await run(mixed, model));
      expect([...results.keys()].toSorted()).toEqual(mixed.map((_, index) => `r-${index}`).toSorted());
      const { immediate } = provider;
      for (const [index, body] of mixed.entries()) {
        const converted = provider.convert({ customId: 'c', endpoint: '/v1/embeddings', body }, model);
        if (!converted.ok || immediate === undefined) throw new Error('not converted');
        const alone = await immediate.execute(converted.request, { ...call(), member: server.url });
        const result = results.get(`r-${index}`);
        expect(await vectorsOf(result)).toEqual(await vectorsOf(alone));
        expect(result?.usage).toEqual(alone.usage);
      }
    });

    it('are read in several rounds when they do not fit into memory together', async () => {
      const { batch } = await over(await submit(mixed, model));
      const tokens = new GoogleTokens('vx', { access_token: issueToken(server) });
      const storage = new GcsBucket(new GoogleClient('vx', tokens), server.url, bucket);
      const directory = storage.nameOf(batch.refs.output_directory ?? '', 'weir/');
      const context = { provider: 'vx', secrets: [], nowMs: 0, model, requestId: null };
      const output = {
        prefix: `${directory}/`,
        kind: 'embedding',
        endpoint: '/v1/embeddings',
        context,
        expectedRows: 46,
      } as const;
      const before = server.counters.downloads;
      const results = await gather(readOutput(storage, output, call(), 100_000));
      expect(server.counters.downloads - before).toBeGreaterThan(1);
      expect(results.map(({ key }) => key).toSorted()).toEqual(mixed.map((_, index) => `r-${index}`).toSorted());
      expect(results.every(({ result, raw }) => result.ok && !raw.includes('\n'))).toBe(true);
    });

    it('fail as a whole when one of their texts failed or is missing', async () => {
      server.configure({ fail_rows: [{ contains: '"b"', status: 'Bad Request: too long' }] });
      const results = byKey(await run(mixed.slice(0, 3), model));
      expect(results.get('r-1')).toMatchObject({ ok: false, failure: { kind: 'invalid_request' } });
      expect(results.get('r-0')?.ok).toBe(true);
      server.configure({ fail_rows: [], rows: { missing_last: 1 } });
      const { batch } = await over(await submit([{ input: ['a', 'b'] }], model));
      const left: BatchResult[] = [];
      const reading = (async () => {
        for await (const one of api().results(batch, call())) left.push(one);
      })();
      expect(await failureOf(reading)).toMatchObject({ code: 'output_incomplete' });
      // Nothing is called missing while the job counted more than it shows.
      expect(left).toEqual([]);
      const { succeeded_rows: _counted, ...uncounted } = batch.refs;
      const partial = await gather(api().results({ id: batch.id, refs: uncounted }, call()));
      expect(partial).toMatchObject([{ key: 'r-0', result: { ok: false, failure: { code: 'damaged_row' } } }]);
      expect(partial[0]?.result.usage).toEqual({ input_tokens: 1 });
    });

    it('report rows without a key as nobody’s', async () => {
      rows({ without_keys: true });
      expect(await run([{ input: 'a' }], model)).toMatchObject([{ key: null, result: { ok: false } }]);
    });
  });
});

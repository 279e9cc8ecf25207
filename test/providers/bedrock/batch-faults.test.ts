import { afterEach, describe, expect, it } from 'vitest';
import type { BatchApi, NativeRequest, ProviderBatch, ShardInput } from '../../../providers/contract.ts';
import {
  type LiveBedrockOptions,
  type SimulatedBedrock,
  startBedrockServer,
} from '../../../providers/sandbox/servers/bedrock.ts';
import { Bench, failureOf, gather } from '../../contract/provider-batch-setup.ts';
import { caller, providerAt, role } from './subject.ts';

const nova = 'us.amazon.nova-lite-v1:0';
const mebibyte = 1024 * 1024;
const none = () => {
  throw new Error('not used');
};

/** What the contract suite cannot know: the ways in which Bedrock and S3 fail. */
describe('batch jobs of Bedrock', () => {
  const benches: Bench[] = [];
  let server: SimulatedBedrock;
  afterEach(async () => {
    for (const bench of benches.splice(0)) await bench.close();
  });

  async function open(options: LiveBedrockOptions = {}, settings: object = {}, model = nova): Promise<Bench> {
    server = await startBedrockServer({ caller, job_ms: 10, stop_ms: 5, ...options });
    const provider = providerAt(server, settings);
    const faults = {};
    const simulator = { hold: none, release: none, held: none, addForeign: none, sentBytes: none, faults };
    const bench = new Bench({ provider, model, secret: '', linesMin: 100, simulator, stop: () => server.stop() });
    benches.push(bench);
    return bench;
  }

  function keys(): string[] {
    return [...server.s3.store.objects.keys()];
  }

  /** An input of so many bytes in chunks of 700,001, so that lines and parts cross them. */
  function largeInput(bytes: number): ShardInput & { text(): string } {
    const lines = Array.from({ length: 100 }, (_none, index) =>
      JSON.stringify({
        recordId: `r-${index}`,
        modelInput: { messages: [{ role: 'user', content: [{ text: 'x'.repeat(bytes / 100) }] }] },
      }),
    );
    const text = lines.map((line) => `${line}\n`).join('');
    const body = Buffer.from(text);
    return {
      token: 'weir-large',
      endpoint: '/v1/chat/completions',
      model: nova,
      lines: 100,
      bytes: body.length,
      async *open() {
        for (let at = 0; at < body.length; at += 700_001) yield body.subarray(at, at + 700_001);
      },
      options: {},
      text: () => text,
    };
  }

  describe('uploads', () => {
    it('go in parts of at least 5 MiB, whole, encrypted with the key of the config', async () => {
      const bench = await open({}, { kms_key_id: 'alias/weir', bucket_owner: '123456789012' });
      const input = largeInput(20 * mebibyte);
      await bench.api.submit(input, bench.call());
      const { counters, store } = server.s3;
      expect(counters).toMatchObject({ CreateMultipartUpload: 1, UploadPart: 3, CompleteMultipartUpload: 1 });
      expect(counters.PutObject).toBeUndefined();
      const object = store.objects.get('weir/weir-large/input.jsonl');
      expect(object?.body.equals(Buffer.from(input.text()))).toBe(true);
      expect(object?.encryption).toBe('alias/weir');
      expect(server.jobs()[0]?.input.outputDataConfig.s3OutputDataConfig).toMatchObject({
        s3EncryptionKeyId: 'alias/weir',
        s3BucketOwner: '123456789012',
      });
    });

    it('are aborted when a part fails, and no job is made', async () => {
      const bench = await open();
      server.s3.configure({ fail: { operation: 'UploadPart', status: 503, code: 'SlowDown', times: 1, after: 1 } });
      expect((await failureOf(bench.api.submit(largeInput(20 * mebibyte), bench.call()))).kind).toBe('rate_limited');
      expect(server.s3.store.uploads.size).toBe(0);
      expect(server.jobs()).toEqual([]);
    });

    it('are aborted when the source fails', async () => {
      const bench = await open();
      const input = largeInput(20 * mebibyte);
      const broken: ShardInput = {
        ...input,
        async *open() {
          let chunks = 0;
          for await (const chunk of input.open()) {
            chunks += 1;
            if (chunks > 20) throw new Error('the disk is gone');
            yield chunk;
          }
        },
      };
      await expect(bench.api.submit(broken, bench.call())).rejects.toThrow('the disk is gone');
      expect(server.s3.store.uploads.size).toBe(0);
      expect(server.s3.counters.AbortMultipartUpload).toBe(1);
    });

    it('that could not be aborted are listed as ours and removed by cleanup', async () => {
      const bench = await open();
      // Begun, three parts; then the completion fails, and so does the abort.
      server.s3.configure({ fail: { operation: null, status: 500, code: 'InternalError', times: 2, after: 4 } });
      const failure = await failureOf(bench.api.submit(largeInput(20 * mebibyte), bench.call()));
      expect(failure.kind).toBe('server_error');
      const objects = await gather(bench.api.inventory(bench.call()));
      expect(objects).toMatchObject([{ kind: 'file', token: 'weir-large', live: false }]);
      const removed = await bench.api.cleanup(bench.refs, bench.call());
      expect(removed).toEqual([expect.stringContaining('unfinished upload')]);
      expect(server.s3.store.uploads.size).toBe(0);
    });

    it('of an expired credential fail as authentication, of a wrong bucket as not found', async () => {
      const bench = await open();
      server.s3.configure({ fail: { operation: 'UploadPart', status: 400, code: 'ExpiredToken', times: null } });
      expect((await failureOf(bench.api.submit(largeInput(20 * mebibyte), bench.call()))).kind).toBe('authentication');
      const elsewhere = await open({}, { bucket: 'other-bucket' });
      expect(await failureOf(elsewhere.submit())).toMatchObject({ kind: 'not_found', code: 'no_such_bucket' });
    });

    it('to a bucket of another region are refused without following the redirect', async () => {
      const bench = await open();
      server.s3.configure({ fail: { operation: null, status: 301, code: 'PermanentRedirect', times: null } });
      expect(await failureOf(bench.submit())).toMatchObject({ kind: 'permission', code: 'permanent_redirect' });
    });
  });

  describe('creation', () => {
    it('names the form, the role and both places, and carries the token', async () => {
      const bench = await open();
      await bench.submit('shard-7-1');
      expect(server.jobs()[0]?.input).toMatchObject({
        jobName: 'weir-shard-7-1',
        clientRequestToken: 'weir-shard-7-1',
        roleArn: role,
        modelId: nova,
        modelInvocationType: 'Converse',
        inputDataConfig: {
          s3InputDataConfig: { s3Uri: 's3://sim-bucket/weir/shard-7-1/input.jsonl', s3InputFormat: 'JSONL' },
        },
        outputDataConfig: { s3OutputDataConfig: { s3Uri: 's3://sim-bucket/weir/shard-7-1/out/' } },
      });
    });

    it('makes one job where the answer was lost and the submit is repeated', async () => {
      const bench = await open({ faults: [{ on: 'create', fault: 'lose_answer' }] });
      await failureOf(bench.submit());
      const batch = await bench.submit();
      expect(server.jobs().map(({ arn }) => arn)).toEqual([batch.id]);
    });

    it('takes a name that is in use for the job of an earlier answer', async () => {
      const bench = await open();
      const first = await bench.submit();
      const changed = { ...bench.input(), options: { timeoutDurationInHours: 48 } };
      expect((await bench.api.submit(changed, bench.call())).id).toBe(first.id);
      expect(server.jobs()).toHaveLength(1);
    });

    it.each([
      ['ServiceQuotaExceededException', 'quota_full'],
      ['ThrottlingException', 'quota_full'],
    ] as const)('says that job slots are full on %s, and leaves no input behind', async (slotsError, kind) => {
      const bench = await open({ max_jobs: 0, slots_error: slotsError });
      expect((await failureOf(bench.submit())).kind).toBe(kind);
      expect(keys()).toEqual([]);
    });

    it('tells throttling of calls from full job slots', async () => {
      const fault = { name: 'ThrottlingException', status: 429, message: 'Rate exceeded' };
      const bench = await open({ faults: [{ on: 'create', fault }] });
      expect((await failureOf(bench.submit())).kind).toBe('rate_limited');
    });

    it('says that the role or the model is at fault', async () => {
      const fault = {
        name: 'ValidationException',
        status: 400,
        message: 'The role does not have permission to the bucket',
      };
      const bench = await open({ faults: [{ on: 'create', fault }], models: ['another'] });
      expect((await failureOf(bench.submit('weir-a'))).kind).toBe('permission');
      expect(await failureOf(bench.submit('weir-b'))).toMatchObject({
        kind: 'invalid_request',
        message: expect.stringContaining('does not support'),
      });
      expect(keys()).toEqual([]);
    });

    it.each([
      [{ timeoutDurationInHours: 48, tags: [{ key: 'team', value: 'a' }] }, null],
      [{ timeoutDurationInHours: 3 }, 'provider_options.timeoutDurationInHours'],
      [{ roleArn: 'arn:aws:iam::123456789012:role/admin' }, 'provider_options.roleArn'],
      [{ outputDataConfig: {} }, 'provider_options.outputDataConfig'],
    ])('takes of a request only %j that cannot reach other resources', async (options, param) => {
      const bench = await open();
      const submit = bench.api.submit({ ...bench.input(), options }, bench.call());
      if (param === null) {
        await submit;
        expect(server.jobs()[0]?.input).toMatchObject(options);
        return;
      }
      expect(await failureOf(submit)).toMatchObject({ kind: 'invalid_request', param, reachedProvider: false });
      expect(keys()).toEqual([]);
    });
  });

  describe('ends', () => {
    it('below the minimum of records as an invalid request', async () => {
      const bench = await open();
      const { progress } = await bench.over(await bench.submit('weir-few', 99));
      expect(progress).toMatchObject({
        state: 'failed',
        reason: 'failed',
        raw: 'Failed',
        failure: { kind: 'invalid_request', message: expect.stringContaining('minimum number') },
      });
    });

    it('as a matter of permission when the role is refused', async () => {
      const bench = await open({ role_arn: 'arn:aws:iam::123456789012:role/other' });
      const { progress } = await bench.over(await bench.submit());
      expect(progress.failure?.kind).toBe('permission');
    });

    it('by expiry before it began, without results', async () => {
      const bench = await open({ outcome: 'Expired' });
      const { progress } = await bench.over(await bench.submit());
      expect(progress).toMatchObject({
        state: 'failed',
        reason: 'expired',
        raw: 'Expired',
        failure: { kind: 'expired' },
      });
    });

    it('when every record failed, each with its own id', async () => {
      const bench = await open({ rate_record_error: 1 });
      const { progress, batch } = await bench.over(await bench.submit());
      expect(progress).toMatchObject({
        state: 'ended',
        reason: 'completed',
        counts: { total: 100, succeeded: 0, failed: 100 },
      });
      const results = await bench.collect(batch);
      expect(new Set(results.map(({ key }) => key))).toEqual(new Set(bench.keys()));
    });

    it('without counts all the same', async () => {
      const bench = await open({ counts: false });
      const { progress, batch } = await bench.over(await bench.submit());
      expect(progress).toMatchObject({ state: 'ended', counts: null });
      expect(await bench.collect(batch)).toHaveLength(100);
    });

    it('stopped before anything ran, without waiting for an output that never comes', async () => {
      const bench = await open({ stop_at: 0 });
      const submitted = await bench.submit();
      await bench.api.cancel(submitted, bench.call());
      const { progress, batch } = await bench.over(submitted);
      expect(progress).toMatchObject({ state: 'ended', reason: 'cancelled', raw: 'Stopped' });
      expect(await bench.collect(batch)).toEqual([]);
    });
  });

  describe('outputs', () => {
    async function ended(
      options: LiveBedrockOptions,
      settings: object = {},
    ): Promise<{ bench: Bench; batch: ProviderBatch }> {
      const bench = await open(options, settings);
      const { batch } = await bench.over(await bench.submit());
      return { bench, batch };
    }

    it('of several files are all read, also when one is listed late', async () => {
      const { bench, batch } = await ended({ output: { files: 3, late_ms: 60_000 } });
      expect(await failureOf(bench.collect(batch))).toMatchObject({ kind: 'server_error', code: 'output_incomplete' });
      for (const object of server.s3.store.objects.values()) object.visibleFromMs = 0;
      expect(await bench.collect(batch)).toHaveLength(100);
    });

    it('that stay short are handed on, once nothing can be late any more', async () => {
      const { bench, batch } = await ended({ output: { drop: 4 } });
      await failureOf(bench.collect(batch));
      bench.nowMs += 700_000;
      expect(await bench.collect(batch)).toHaveLength(96);
    });

    it('that are listed in pages are all read and removed', async () => {
      const { bench, batch } = await ended({ output: { files: 3 } });
      server.s3.configure({ page_size: 1 });
      expect(await bench.collect(batch)).toHaveLength(100);
      expect(await bench.api.cleanup(batch.refs, bench.call())).toHaveLength(5);
      expect(keys()).toEqual([]);
    });

    it('are read without their manifest', async () => {
      const { bench, batch } = await ended({ output: { manifest: false } });
      expect(await bench.collect(batch)).toHaveLength(100);
    });

    it.each([
      [{ cut_after_bytes: 9000, cut_times: 4 }],
      [{ cut_after_bytes: 9000, cut_times: 4, cut_silently: true }],
      [{ cut_after_bytes: 40_000, cut_times: 1, ignore_range: true }],
    ])('that are cut, as %j, are read on from where they were', async (faults) => {
      const { bench, batch } = await ended({});
      server.s3.configure(faults);
      const results = await bench.collect(batch);
      expect(new Set(results.map(({ key }) => key))).toEqual(new Set(bench.keys()));
      expect(results).toHaveLength(100);
      expect(server.s3.counters.GetObject).toBe(faults.cut_times + 1);
    });

    it('that bring no more bytes are given up, not taken as whole', async () => {
      const { bench, batch } = await ended({});
      server.s3.configure({ cut_after_bytes: 0, cut_times: 100, cut_silently: true });
      expect((await failureOf(bench.collect(batch))).code).toBe('download_incomplete');
      expect(server.s3.counters.GetObject).toBe(3);
    });

    it('that change while they are read are refused', async () => {
      const { bench, batch } = await ended({});
      server.s3.configure({ cut_after_bytes: 9000, cut_times: 1 });
      const results = bench.api.results(batch, bench.call())[Symbol.asyncIterator]();
      await results.next();
      const key = keys().find((name) => name.endsWith('.jsonl.out')) ?? '';
      server.s3.store.put(key, Buffer.alloc(60_000, 'x'), Date.now());
      const rest = async () => {
        while (!(await results.next()).done);
      };
      expect((await failureOf(rest())).status).toBe(412);
    });

    it('hold bad UTF-8 in one line without harm to the others', async () => {
      const { bench, batch } = await ended({ answer: () => 'a word' });
      const object = [...server.s3.store.objects.values()].find(({ key }) => key.endsWith('.jsonl.out'));
      if (object === undefined) throw new Error('no output');
      object.body[object.body.indexOf('a word')] = 0xff;
      const results = await bench.collect(batch);
      const damaged = results.filter(({ result }) => result.ok && result.warnings.join().includes('UTF-8'));
      expect(damaged).toHaveLength(1);
      expect(results).toHaveLength(100);
    });

    it('are read from our own folder, whatever the refs say', async () => {
      const { bench, batch } = await ended({});
      const forged = { id: batch.id, refs: { ...batch.refs, processed: '0', output_uri: 's3://other-bucket/secret/' } };
      expect(await bench.collect(forged)).toHaveLength(100);
      expect(await bench.collect({ id: batch.id, refs: { ...forged.refs, token: '../../other' } })).toEqual([]);
      expect(await bench.api.cleanup({ ...forged.refs, token: '' }, bench.call())).toEqual([]);
    });
  });

  describe('requests', () => {
    function request(api: BatchApi, bench: Bench, body: object, model = nova): NativeRequest {
      const line = { customId: 'r', endpoint: '/v1/chat/completions' as const, body: body as Record<string, unknown> };
      const converted = bench.subject.provider.convert(line, model);
      if (!converted.ok) throw new Error(converted.failure.message);
      expect(JSON.parse(api.line('k', converted.request))).toMatchObject({ recordId: 'k' });
      return converted.request;
    }
    const user = [{ role: 'user', content: '"toolConfig" "tools" "output_config"' }];
    const tools = [{ type: 'function', function: { name: 'find' } }];
    const format = { type: 'json_schema', json_schema: { name: 'a', schema: { type: 'object' } } };
    const claude = 'anthropic.claude-opus-4-6-v1';

    it.each([
      [{ messages: user }, nova, null],
      [{ messages: user, tools }, nova, 'tools'],
      [{ messages: user, response_format: format }, 'openai.gpt-oss-20b-1:0', 'response_format'],
      [{ messages: user }, claude, null],
      [{ messages: user, reasoning_effort: 'low' }, claude, null],
      [{ messages: user, tools }, claude, 'tools'],
      [{ messages: user, response_format: format }, claude, 'response_format'],
    ])('%j of %s are refused for a job by %s', async (body, model, param) => {
      const bench = await open();
      const failure = bench.api.refuses?.(request(bench.api, bench, body, model)) ?? null;
      if (param === null) expect(failure).toBeNull();
      else expect(failure).toMatchObject({ kind: 'unsupported', code: 'unsupported_in_batch', param });
      const allowing = await open({}, { batch_tools: 'allow' });
      expect(allowing.api.refuses?.(request(allowing.api, allowing, body, model))).toBeNull();
    });
  });
});

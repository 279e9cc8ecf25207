import { afterEach, describe, expect, it } from 'vitest';
import type { ShardInput } from '../../../providers/contract.ts';
import { failureOf, gather } from '../../contract/provider-batch-setup.ts';
import { Benches, nova } from './benches.ts';
import { role } from './subject.ts';

const mebibyte = 1024 * 1024;

/** What the contract suite cannot know: how submitting to S3 and Bedrock fails. */
describe('submitting to Bedrock', () => {
  const benches = new Benches();
  afterEach(() => benches.close());

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
      const bench = await benches.open({}, { kms_key_id: 'alias/weir', bucket_owner: '123456789012' });
      const input = largeInput(20 * mebibyte);
      await bench.api.submit(input, bench.call());
      const { counters, store } = benches.server.s3;
      expect(counters).toMatchObject({ CreateMultipartUpload: 1, UploadPart: 3, CompleteMultipartUpload: 1 });
      expect(counters.PutObject).toBeUndefined();
      const object = store.objects.get('weir/weir-large/input.jsonl');
      expect(object?.body.equals(Buffer.from(input.text()))).toBe(true);
      expect(object?.encryption).toBe('alias/weir');
      expect(benches.server.jobs()[0]?.input.outputDataConfig.s3OutputDataConfig).toMatchObject({
        s3EncryptionKeyId: 'alias/weir',
        s3BucketOwner: '123456789012',
      });
    });

    it('are aborted when a part fails, and no job is made', async () => {
      const bench = await benches.open();
      benches.server.s3.configure({
        fail: { operation: 'UploadPart', status: 503, code: 'SlowDown', times: 1, after: 1 },
      });
      expect((await failureOf(bench.api.submit(largeInput(20 * mebibyte), bench.call()))).kind).toBe('rate_limited');
      expect(benches.server.s3.store.uploads.size).toBe(0);
      expect(benches.server.jobs()).toEqual([]);
    });

    it('are aborted when the source fails', async () => {
      const bench = await benches.open();
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
      expect(benches.server.s3.store.uploads.size).toBe(0);
      expect(benches.server.s3.counters.AbortMultipartUpload).toBe(1);
    });

    it('that could not be aborted are listed as ours and removed by cleanup', async () => {
      const bench = await benches.open();
      // Begun, three parts; then the completion fails, and so does the abort.
      benches.server.s3.configure({
        fail: { operation: null, status: 500, code: 'InternalError', times: 2, after: 4 },
      });
      const failure = await failureOf(bench.api.submit(largeInput(20 * mebibyte), bench.call()));
      expect(failure.kind).toBe('server_error');
      const objects = await gather(bench.api.inventory(bench.call()));
      expect(objects).toMatchObject([{ kind: 'file', token: 'weir-large', live: false }]);
      const removed = await bench.api.cleanup(bench.refs, bench.call());
      expect(removed).toEqual([expect.stringContaining('unfinished upload')]);
      expect(benches.server.s3.store.uploads.size).toBe(0);
    });

    it('of an expired credential fail as authentication, of a wrong bucket as not found', async () => {
      const bench = await benches.open();
      benches.server.s3.configure({
        fail: { operation: 'UploadPart', status: 400, code: 'ExpiredToken', times: null },
      });
      expect((await failureOf(bench.api.submit(largeInput(20 * mebibyte), bench.call()))).kind).toBe('authentication');
      const elsewhere = await benches.open({}, { bucket: 'other-bucket' });
      expect(await failureOf(elsewhere.submit())).toMatchObject({ kind: 'not_found', code: 'no_such_bucket' });
    });

    it('to a bucket of another region are refused without following the redirect', async () => {
      const bench = await benches.open();
      benches.server.s3.configure({ fail: { operation: null, status: 301, code: 'PermanentRedirect', times: null } });
      expect(await failureOf(bench.submit())).toMatchObject({ kind: 'permission', code: 'permanent_redirect' });
    });
  });

  describe('creation', () => {
    it('names the form, the role and both places, and carries the token', async () => {
      const bench = await benches.open();
      await bench.submit('shard-7-1');
      expect(benches.server.jobs()[0]?.input).toMatchObject({
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
      const bench = await benches.open({ faults: [{ on: 'create', fault: 'lose_answer' }] });
      await failureOf(bench.submit());
      const batch = await bench.submit();
      expect(benches.server.jobs().map(({ arn }) => arn)).toEqual([batch.id]);
    });

    it('takes a name that is in use for the job of an earlier answer', async () => {
      const bench = await benches.open();
      const first = await bench.submit();
      const changed = { ...bench.input(), options: { timeoutDurationInHours: 48 } };
      expect((await bench.api.submit(changed, bench.call())).id).toBe(first.id);
      expect(benches.server.jobs()).toHaveLength(1);
    });

    it.each([
      ['ServiceQuotaExceededException', 'quota_full'],
      ['ThrottlingException', 'quota_full'],
    ] as const)('says that job slots are full on %s, and leaves no input behind', async (slotsError, kind) => {
      const bench = await benches.open({ max_jobs: 0, slots_error: slotsError });
      expect((await failureOf(bench.submit())).kind).toBe(kind);
      expect(benches.keys()).toEqual([]);
    });

    it('tells throttling of calls from full job slots', async () => {
      const fault = { name: 'ThrottlingException', status: 429, message: 'Rate exceeded' };
      const bench = await benches.open({ faults: [{ on: 'create', fault }] });
      expect((await failureOf(bench.submit())).kind).toBe('rate_limited');
    });

    it('says that the role or the model is at fault', async () => {
      const fault = {
        name: 'ValidationException',
        status: 400,
        message: 'The role does not have permission to the bucket',
      };
      const bench = await benches.open({ faults: [{ on: 'create', fault }], models: ['another'] });
      expect((await failureOf(bench.submit('weir-a'))).kind).toBe('permission');
      expect(await failureOf(bench.submit('weir-b'))).toMatchObject({
        kind: 'invalid_request',
        message: expect.stringContaining('does not support'),
      });
      expect(benches.keys()).toEqual([]);
    });

    it.each([
      ['The provided model identifier is invalid.', 'invalid_request', 'model'],
      ["1 validation error detected: Value at 'jobName' failed to satisfy a constraint", 'invalid_request', 'job'],
      ['The S3 bucket is in another region than the job.', 'permission', null],
      ['The input has 90 records, less than the minimum number of records 100.', 'invalid_request', null],
    ])('of which creation says "%s" fail for it as %s of %s', async (message, kind, param) => {
      const fault = { name: 'ValidationException', status: 400, message };
      const bench = await benches.open({ faults: [{ on: 'create', fault }] });
      expect(await failureOf(bench.submit())).toMatchObject({ kind, param });
    });

    it.each([
      [{ timeoutDurationInHours: 48, tags: [{ key: 'team', value: 'a' }] }, null],
      [{ timeoutDurationInHours: 3 }, 'provider_options.timeoutDurationInHours'],
      [{ roleArn: 'arn:aws:iam::123456789012:role/admin' }, 'provider_options.roleArn'],
      [{ outputDataConfig: {} }, 'provider_options.outputDataConfig'],
    ])('takes of a request only %j that cannot reach other resources', async (options, param) => {
      const bench = await benches.open();
      const submit = bench.api.submit({ ...bench.input(), options }, bench.call());
      if (param === null) {
        await submit;
        expect(benches.server.jobs()[0]?.input).toMatchObject(options);
        return;
      }
      expect(await failureOf(submit)).toMatchObject({ kind: 'invalid_request', param, reachedProvider: false });
      expect(benches.keys()).toEqual([]);
    });
  });
});

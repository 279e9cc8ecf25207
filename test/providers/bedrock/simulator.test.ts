import { Readable } from 'node:stream';
import * as bedrock from '@aws-sdk/client-bedrock';
import * as s3 from '@aws-sdk/client-s3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type SimulatedBedrock, startBedrockServer } from '../../../providers/sandbox/servers/bedrock.ts';
import { caller, credentials, role } from './subject.ts';

const Bucket = 'sim-bucket';

describe('the simulated Bedrock, driven by AWS’s own clients', () => {
  let server: SimulatedBedrock;
  let objects: s3.S3Client;
  let jobs: bedrock.BedrockClient;

  beforeEach(async () => {
    server = await startBedrockServer({ caller, job_ms: null });
    // The clients' own defaults: checksums, aws-chunked bodies.
    const common = { region: 'us-east-1', credentials: credentials(), maxAttempts: 1 };
    objects = new s3.S3Client({ ...common, endpoint: server.s3.url, forcePathStyle: true });
    jobs = new bedrock.BedrockClient({ ...common, endpoint: server.url });
  });
  afterEach(async () => {
    objects.destroy();
    jobs.destroy();
    await server.stop();
  });

  it('takes streams with aws-chunked bodies and gives them back, whole and by range', async () => {
    const text = 'ä€😀'.repeat(50_000);
    const Body = Readable.from([Buffer.from(text)]);
    const put = { Bucket, Key: "a/b c-!_.*'().txt", Body, ContentLength: Buffer.byteLength(text) };
    await objects.send(new s3.PutObjectCommand(put));
    const whole = await objects.send(new s3.GetObjectCommand({ Bucket, Key: put.Key }));
    expect(await whole.Body?.transformToString()).toBe(text);
    const part = await objects.send(new s3.GetObjectCommand({ Bucket, Key: put.Key, Range: 'bytes=2-4' }));
    expect(await part.Body?.transformToString()).toBe('€');
    expect(part.ContentRange).toBe(`bytes 2-4/${put.ContentLength}`);
    const head = await objects.send(new s3.HeadObjectCommand({ Bucket, Key: put.Key }));
    expect(head.ContentLength).toBe(put.ContentLength);
  });

  it('lists by prefix, in pages', async () => {
    server.s3.configure({ page_size: 2 });
    for (const Key of ['x/3', 'x/1', 'x/2', 'y/1', 'x/<&>'])
      await objects.send(new s3.PutObjectCommand({ Bucket, Key, Body: 'b' }));
    const keys: (string | undefined)[] = [];
    for await (const page of s3.paginateListObjectsV2({ client: objects }, { Bucket, Prefix: 'x/' })) {
      keys.push(...(page.Contents ?? []).map(({ Key }) => Key));
    }
    expect(keys).toEqual(['x/1', 'x/2', 'x/3', 'x/<&>']);
  });

  it('wants parts of 5 MiB', async () => {
    const Key = 'parts';
    const { UploadId } = await objects.send(new s3.CreateMultipartUploadCommand({ Bucket, Key }));
    const parts: s3.CompletedPart[] = [];
    for (const PartNumber of [1, 2]) {
      const sent = await objects.send(
        new s3.UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body: Buffer.alloc(1000) }),
      );
      parts.push({ PartNumber, ETag: sent.ETag });
    }
    const complete = new s3.CompleteMultipartUploadCommand({
      Bucket,
      Key,
      UploadId,
      MultipartUpload: { Parts: parts },
    });
    await expect(objects.send(complete)).rejects.toMatchObject({ name: 'EntityTooSmall' });
    const open = await objects.send(new s3.ListMultipartUploadsCommand({ Bucket }));
    expect(open.Uploads).toMatchObject([{ Key, UploadId }]);
    await objects.send(new s3.AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
    expect(server.s3.store.uploads.size).toBe(0);
  });

  it('refuses wrong signatures, regions and tokens', async () => {
    const attempts: [object, string][] = [
      [{ credentials: { ...credentials(), secretAccessKey: 'wrong' } }, 'SignatureDoesNotMatch'],
      [{ credentials: { ...credentials(), accessKeyId: 'WRONG' } }, 'InvalidAccessKeyId'],
      [{ credentials: { ...credentials(), sessionToken: 'old' } }, 'ExpiredToken'],
      [{ region: 'eu-west-1' }, 'AuthorizationHeaderMalformed'],
    ];
    for (const [changes, name] of attempts) {
      const base = { region: 'us-east-1', credentials: credentials(), endpoint: server.s3.url, forcePathStyle: true };
      const client = new s3.S3Client({ ...base, maxAttempts: 1, ...changes });
      await expect(client.send(new s3.ListObjectsV2Command({ Bucket }))).rejects.toMatchObject({ name });
      client.destroy();
    }
  });

  const input = {
    roleArn: role,
    modelId: 'amazon.nova-lite-v1:0',
    modelInvocationType: 'Converse' as const,
    inputDataConfig: { s3InputDataConfig: { s3Uri: `s3://${Bucket}/in/input.jsonl`, s3InputFormat: 'JSONL' as const } },
    outputDataConfig: { s3OutputDataConfig: { s3Uri: `s3://${Bucket}/out/` } },
  };

  async function putRecords(count: number): Promise<void> {
    const record = (recordId: string) => ({
      recordId,
      modelInput: { messages: [{ role: 'user', content: [{ text: recordId }] }] },
    });
    const lines = Array.from({ length: count }, (_none, index) => `${JSON.stringify(record(`r${index}`))}\n`);
    await objects.send(new s3.PutObjectCommand({ Bucket, Key: 'in/input.jsonl', Body: lines.join('') }));
  }

  async function statusOf(jobIdentifier: string | undefined) {
    return jobs.send(new bedrock.GetModelInvocationJobCommand({ jobIdentifier }));
  }

  it('takes a job through every status and writes its output and manifest', async () => {
    await putRecords(100);
    const { jobArn } = await jobs.send(
      new bedrock.CreateModelInvocationJobCommand({ ...input, jobName: 'my-first-job' }),
    );
    const seen: (string | undefined)[] = [];
    for (let step = 0; step < 5; step += 1) {
      seen.push((await statusOf(jobArn)).status);
      server.advance();
    }
    expect(seen).toEqual(['Submitted', 'Validating', 'Scheduled', 'InProgress', 'Completed']);
    const job = await statusOf(jobArn?.split('/').at(-1));
    expect(job).toMatchObject({
      jobArn,
      successRecordCount: 100,
      errorRecordCount: 0,
      submitTime: expect.any(Date),
      endTime: expect.any(Date),
    });
    const folder = `out/${jobArn?.split('/').at(-1)}/`;
    expect([...server.s3.store.objects.keys()]).toEqual([
      'in/input.jsonl',
      `${folder}input.jsonl.out`,
      `${folder}manifest.json.out`,
    ]);
    const lines = server.s3.store.objects.get(`${folder}input.jsonl.out`)?.body.toString().split('\n') ?? [];
    expect(lines.slice(0, -1).map((line) => (JSON.parse(line) as { recordId: string }).recordId)).not.toEqual(
      Array.from({ length: 100 }, (_none, index) => `r${index}`),
    );
  });

  it('answers one token with one job, and a taken name with a conflict', async () => {
    await putRecords(100);
    const named = { ...input, jobName: 'my-first-job' };
    const create = (clientRequestToken: string) =>
      jobs.send(new bedrock.CreateModelInvocationJobCommand({ ...named, clientRequestToken }));
    expect((await create('token-1')).jobArn).toBe((await create('token-1')).jobArn);
    await expect(create('token-2')).rejects.toMatchObject({
      name: 'ConflictException',
      $metadata: { httpStatusCode: 400 },
    });
    const names: (string | undefined)[] = [];
    for await (const page of bedrock.paginateListModelInvocationJobs({ client: jobs }, { nameContains: 'first' })) {
      names.push(...(page.invocationJobSummaries ?? []).map(({ jobName }) => jobName));
    }
    expect(names).toEqual(['my-first-job']);
  });

  it('stops a job, and refuses to stop it again', async () => {
    await putRecords(100);
    const { jobArn } = await jobs.send(
      new bedrock.CreateModelInvocationJobCommand({ ...input, jobName: 'my-first-job' }),
    );
    for (let step = 0; step < 3; step += 1) server.advance();
    const stop = new bedrock.StopModelInvocationJobCommand({ jobIdentifier: jobArn });
    await jobs.send(stop);
    expect((await statusOf(jobArn)).status).toBe('Stopping');
    server.advance();
    expect(await statusOf(jobArn)).toMatchObject({ status: 'Stopped', processedRecordCount: 50 });
    await expect(jobs.send(stop)).rejects.toMatchObject({ name: 'ValidationException' });
  });

  it('comes back on the same port after a crash, with everything it had', async () => {
    await putRecords(100);
    await server.s3.crash();
    await expect(putRecords(1)).rejects.toThrow();
    await server.s3.restart();
    const list = await objects.send(new s3.ListObjectsV2Command({ Bucket }));
    expect(list.KeyCount).toBe(1);
  });
});

import { describe, expect, it, onTestFinished } from 'vitest';
import { signBlobRequest, stringToSign } from '../../../providers/azure/blob-signing.ts';
import type { BatchServerOptions } from '../../../providers/sandbox/servers/openai-batch.ts';
import { describeBatchApi } from '../../contract/provider-batch.ts';
import { Bench, failureOf, gather } from '../../contract/provider-batch-setup.ts';
import { createProvider } from '../kinds.ts';
import { startBatchSubject } from '../openai/batch-subject.ts';

const secret = 'azurecanary0123456789';
const base = { api_key: secret, deployments: { 'gpt-4o-mini': 'my-mini' }, batch: true };

function start(credentials: object, server: BatchServerOptions = {}, container = '/blobs/weir') {
  return startBatchSubject({
    server: { flavour: 'azure', max_lines: 100_000, ...server },
    secret,
    model: 'gpt-4o-mini',
    create: ({ url }) =>
      createProvider('azure', { ...base, endpoint: url, blob: { container_url: url + container, ...credentials } }),
    without: ['expire'],
  });
}

describeBatchApi('azure with blobs and a SAS', () => start({ sas_token: `sv=2021-12-02&sp=rwdl&sig=${secret}` }));

describeBatchApi('azure with blobs and an account key', () => start({ account_key: secret }));

describe('Azure batches with blobs', () => {
  async function open(server?: BatchServerOptions): Promise<Bench> {
    const bench = new Bench(await start({ ad_token: secret }, server));
    onTestFinished(() => bench.close());
    return bench;
  }

  it('carry the token in the name of the input, and keep no credential in what is persisted', async () => {
    const bench = await open();
    const batch = await bench.submit();
    expect(batch.refs.input_file_id).toMatch(/\/blobs\/weir\/weir\/weir-weir-shard-1\.jsonl$/);
    expect(JSON.stringify(batch.refs)).not.toContain(secret);
    expect(bench.api.limits.bytes).toBe(1_000_000_000);
  });

  it('take an error blob that was never written for no errors', async () => {
    const bench = await open();
    const { progress, batch } = await bench.over(await bench.submit());
    expect(progress.refs.error_file_id).toMatch(/\/errors\.jsonl$/);
    expect(bench.simulator.held().files).toBe(2);
    expect(await bench.collect(batch)).toHaveLength(bench.size);
  });

  it('do not take results that are gone for an end without results', async () => {
    const bench = await open();
    const { batch } = await bench.over(await bench.submit());
    await bench.api.cleanup(batch.refs, bench.call());
    expect((await failureOf(bench.collect(batch))).code).toBe('download_incomplete');
  });

  it('are sent in blocks, each whole', async () => {
    const bench = await open();
    const input = bench.input('weir-shard-1', 8);
    const [line = new Uint8Array()] = await gather(input.open());
    const padding = Buffer.from(`${' '.repeat(999)}\n`);
    const bytes = line.length + padding.length * 20_000;
    async function* chunks() {
      yield* input.open();
      for (let count = 0; count < 20_000; count += 1) yield padding;
    }
    const { batch } = await bench.over(await bench.api.submit({ ...input, bytes, open: chunks }, bench.call()));
    expect(await bench.collect(batch)).toHaveLength(8);
  });

  it('never write over a blob that is not theirs', async () => {
    const bench = await open();
    await bench.submit('weir-shard-1', 8);
    const failure = await failureOf(bench.submit('weir-shard-1', 9));
    expect(failure.code).toBe('blob_exists');
    expect(bench.simulator.held()).toMatchObject({ created: 1 });
  });

  it('leave no blob when the input breaks off', async () => {
    const bench = await open();
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield Buffer.from('{}\n');
      throw new Error('the disk is gone');
    }
    await expect(bench.api.submit({ ...bench.input(), open: broken }, bench.call())).rejects.toThrow(
      'the disk is gone',
    );
    expect(bench.simulator.held()).toMatchObject({ created: 0, files: 0 });
  });

  it('send credentials to the container only', async () => {
    const bench = await open();
    const refs = { output_file_id: 'https://elsewhere.example/weir/results.jsonl' };
    expect((await failureOf(bench.api.cleanup(refs, bench.call()))).message).toContain('outside of the container');
    const sibling = {
      output_file_id: (await bench.submit()).refs.input_file_id?.replace('/blobs/weir/', '/blobs/weir/../x/') ?? '',
    };
    expect((await failureOf(bench.api.cleanup(sibling, bench.call()))).message).toContain('outside of the container');
  });

  it('need exactly one credential for storage, and https', () => {
    const entry = { ...base, endpoint: 'https://x.openai.azure.com' };
    const container_url = 'https://acct.blob.core.windows.net/weir';
    expect(() => createProvider('azure', { ...entry, blob: { container_url } })).toThrow('give one of sas_token');
    const http = { container_url: 'http://acct.blob.core.windows.net/weir', account_key: secret };
    expect(() => createProvider('azure', { ...entry, blob: http })).toThrow('must be https');
  });
});

describe('the signature of a blob request', () => {
  it('is of the string that the documentation of Shared Key gives', () => {
    const request = {
      method: 'GET',
      url: new URL('https://myaccount.blob.core.windows.net/mycontainer?restype=container&comp=metadata&timeout=20'),
      headers: { 'x-ms-date': 'Fri, 26 Jun 2015 23:39:12 GMT', 'x-ms-version': '2015-02-21' },
      length: 0,
    };
    expect(stringToSign(request, 'myaccount')).toBe(
      'GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\nx-ms-version:2015-02-21\n/myaccount/mycontainer\ncomp:metadata\nrestype:container\ntimeout:20',
    );
  });

  it('is dated by the time it is given', () => {
    const request = { method: 'GET', url: new URL('https://a.blob.core.windows.net/c/b'), headers: {}, length: 0 };
    const signed = signBlobRequest(request, { account_key: 'a2V5' }, 0);
    expect(signed.headers['x-ms-date']).toBe('Thu, 01 Jan 1970 00:00:00 GMT');
    expect(signed.headers.authorization).toMatch(/^SharedKey a:[\w+/]{43}=$/);
  });
});

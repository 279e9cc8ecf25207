import { afterEach, describe, expect, it } from 'vitest';
import type { Provider } from '../../../providers/contract.ts';
import type { BatchSettingsChanges } from '../../../providers/sandbox/servers/openai-batch-settings.ts';
import { Bench, failureOf, keysOf } from '../../contract/provider-batch-setup.ts';
import { createProvider } from '../kinds.ts';
import { httpAnswer, type ScriptedRequest, type ScriptedServer, startScriptedServer } from '../scripted-server.ts';
import { startBatchSubject } from './batch-subject.ts';

const secret = 'canary0123456789abcdef';
const closings: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closings.splice(0).reverse()) await close();
});

const deployments = { 'gpt-4o-mini': 'my-mini' };

function azureAt(url: string): Provider {
  return createProvider('azure', { endpoint: url, ad_token: secret, deployments, batch: true });
}

function openaiAt(url: string): Provider {
  return createProvider('openai', { base_url: url, api_key: secret });
}

async function open(create: (url: string) => Provider, server: BatchSettingsChanges): Promise<Bench> {
  const subject = await startBatchSubject({ server, secret, model: 'gpt-4o-mini', create: ({ url }) => create(url) });
  const bench = new Bench(subject);
  closings.push(() => bench.close());
  return bench;
}

/** A bench over a server that answers as `answer` says, file and batch calls alike. */
async function openScripted(create: (url: string) => Provider, answer: (request: ScriptedRequest) => string) {
  const server: ScriptedServer = await startScriptedServer((request) => request.socket.write(answer(request)));
  closings.push(() => server.close());
  const bench = await open(openaiAt, {});
  const scripted = new Bench({ ...bench.subject, provider: create(server.url), stop: async () => {} });
  closings.push(() => scripted.close());
  return { bench: scripted, requests: server.requests };
}

const file = { id: 'file-1', object: 'file', bytes: 100, filename: 'x.jsonl', purpose: 'batch', status: 'processed' };
const batch = { id: 'batch_1', object: 'batch', status: 'validating', input_file_id: 'file-1', created_at: 1 };

function accept({ path }: ScriptedRequest): string {
  return httpAnswer(200, JSON.stringify(path.includes('/files') ? file : batch));
}

describe('what gateways get wrong', () => {
  it.each([
    ['openai', openaiAt, {}],
    ['azure', azureAt, { flavour: 'azure', file_ms: 5 }],
  ] as const)('a mixed batch of %s gives its answers and its failures', async (_kind, create, server) => {
    const faults = {
      line_faults: [
        { contains: '"r-1"', status: 400 },
        { contains: '"r-3"', status: 500 },
      ],
    };
    const bench = await open(create, { ...server, ...faults });
    const { progress, batch: ended } = await bench.over(await bench.submit());
    expect(progress.counts).toEqual({ total: 8, succeeded: 6, failed: 2 });
    const results = await bench.collect(ended);
    expect(keysOf(results)).toEqual(bench.keys().toSorted());
    const failed = results.filter(({ result }) => !result.ok);
    expect(failed.map(({ key }) => key).toSorted()).toEqual(['r-1', 'r-3']);
    expect(await bench.api.cleanup(ended.refs, bench.call())).toHaveLength(3);
  });

  it('results of a batch that still runs are refused, not asked for under no id', async () => {
    const bench = await open(openaiAt, { stop_at: 0.5 });
    const submitted = await bench.submit();
    expect(await failureOf(bench.collect(submitted))).toMatchObject({ kind: 'server_error', code: 'batch_not_ended' });
  });

  it('results of a batch that failed before it ran are none, without an error', async () => {
    const bench = await open(openaiAt, { refuse_lines: [1] });
    const { batch: failed } = await bench.over(await bench.submit());
    expect(await bench.collect(failed)).toEqual([]);
  });

  it('an upload says that it is a form, with a token as with a key', async () => {
    const { bench, requests } = await openScripted(azureAt, accept);
    await bench.submit();
    const [upload, create] = requests;
    expect(upload).toMatchObject({ method: 'POST', path: '/openai/v1/files' });
    expect(upload?.headers['content-type']).toMatch(/^multipart\/form-data; boundary=/);
    expect(upload?.headers.authorization).toBe(`Bearer ${secret}`);
    expect(upload?.body).toContain('name="expires_after.seconds"\r\n\r\n1209600\r\n');
    expect(upload?.body).toContain('name="purpose"\r\n\r\nbatch\r\n');
    expect(upload?.headers['content-length']).toBe(String(Buffer.byteLength(upload?.body ?? '')));
    // The fields come before the file: some servers read the form as it arrives.
    expect(upload?.body.indexOf('name="purpose"')).toBeLessThan(upload?.body.indexOf('name="file"') ?? 0);
    expect(create?.headers['content-type']).toBe('application/json');
  });

  it('options of the client reach the create call', async () => {
    const { bench, requests } = await openScripted(openaiAt, accept);
    const options = {
      output_expires_after: { anchor: 'created_at', seconds: 3600 },
      something_new: [1],
      metadata: { a: 'b' },
    };
    await bench.api.submit({ ...bench.input(), options }, bench.call());
    expect(JSON.parse(requests[1]?.body ?? '')).toEqual({
      output_expires_after: { anchor: 'created_at', seconds: 3600 },
      something_new: [1],
      metadata: { a: 'b', weir_token: 'weir-shard-1' },
      input_file_id: 'file-1',
      endpoint: '/v1/chat/completions',
      completion_window: '24h',
    });
  });

  it('a download that stands still ends by the time limit', async () => {
    const ended = { ...batch, status: 'completed', output_file_id: 'file-2', completed_at: 1 };
    const { bench, requests } = await openScripted(openaiAt, ({ path }) => {
      if (path.endsWith('/content')) return 'HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n';
      return httpAnswer(200, JSON.stringify(path.includes('/files') ? { ...file, bytes: 1000 } : ended));
    });
    const results = bench.api.results({ id: 'batch_1', refs: {} }, { ...bench.call(), timeoutMs: 500 });
    expect((await failureOf(results[Symbol.asyncIterator]().next())).kind).toBe('timeout');
    expect(requests.filter(({ path }) => path.endsWith('/content'))).toHaveLength(3);
  });

  it('an answer to the upload without an id is no file', async () => {
    const { bench, requests } = await openScripted(openaiAt, () => httpAnswer(200, '{"object":"file"}'));
    expect(await failureOf(bench.submit())).toMatchObject({ kind: 'bad_response', reachedProvider: true });
    expect(requests).toHaveLength(1);
  });

  it('an answer to the create call that makes no sense is looked into, not repeated', async () => {
    const { bench, requests } = await openScripted(openaiAt, (request) =>
      request.path.includes('/files') ? accept(request) : httpAnswer(200, '<html>'),
    );
    expect(await failureOf(bench.submit())).toMatchObject({ kind: 'bad_response', reachedProvider: true });
    expect(requests.map(({ method, path }) => `${method} ${path}`)).toEqual(['POST /v1/files', 'POST /v1/batches']);
    expect(bench.refs.input_file_id).toBe('file-1');
  });
});

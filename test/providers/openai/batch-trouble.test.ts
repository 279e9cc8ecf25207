import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type SimulatedBatchServer, startOpenAIBatchServer } from '../../../providers/sandbox/servers/openai-batch.ts';
import type { BatchSettingsChanges } from '../../../providers/sandbox/servers/openai-batch-settings.ts';
import { Bench, failureOf, gather, keysOf } from '../../contract/provider-batch-setup.ts';
import { createProvider } from '../kinds.ts';
import { httpAnswer, startScriptedServer, until } from '../scripted-server.ts';
import { startBatchSubject } from './batch-subject.ts';

const secret = 'sk-canary0123456789abcdef';
const closings: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closings.splice(0).reverse()) await close();
});

async function open(options: BatchSettingsChanges = {}): Promise<{ bench: Bench; server: SimulatedBatchServer }> {
  let server: SimulatedBatchServer | undefined;
  const subject = await startBatchSubject({
    server: options,
    secret,
    model: 'gpt-4o-mini',
    create: (started) => {
      server = started;
      return createProvider('openai', { base_url: started.url, api_key: secret });
    },
  });
  const bench = new Bench(subject);
  closings.push(() => bench.close());
  if (server === undefined) throw new Error('not started');
  return { bench, server };
}

/** A bench whose provider talks to a server at `url`. */
async function openAt(url: string): Promise<Bench> {
  const { bench } = await open();
  const provider = createProvider('openai', { base_url: url, api_key: secret });
  const other = new Bench({ ...bench.subject, provider, stop: async () => {} });
  closings.push(() => other.close());
  return other;
}

describe('submitting to OpenAI', () => {
  it('sends the create call once, whatever it is answered', async () => {
    const { bench, server } = await open();
    for (const fault of [500, 503, 429, 'lose_answer'] as const) {
      server.configure({ faults: [{ on: 'create', fault, times: null }] });
      const before = server.counters.by_operation.create;
      await failureOf(bench.submit(`weir-${fault}`.replace('_', '-')));
      expect(server.counters.by_operation.create).toBe(before + 1);
    }
  });

  it('removes its file at once when the create call is refused for good', async () => {
    const { bench, server } = await open({ faults: [{ on: 'create', fault: 400 }] });
    expect((await failureOf(bench.submit())).kind).toBe('invalid_request');
    expect(server.held()).toEqual({ live: 0, files: 0 });
  });

  it('keeps its file while nobody knows whether the create call worked, so that the batch can be found', async () => {
    const { bench, server } = await open({ faults: [{ on: 'create', fault: 500 }] });
    expect(await failureOf(bench.submit())).toMatchObject({ kind: 'server_error', reachedProvider: true });
    expect(server.held().files).toBe(1);
    expect(await bench.api.find('weir-shard-1', bench.refs, bench.call())).toBeNull();
    expect(await bench.api.cleanup(bench.refs, bench.call())).toHaveLength(1);
    expect(server.held().files).toBe(0);
  });

  it('leaves a file of which nobody was told in the list of what is ours', async () => {
    const { bench, server } = await open({ faults: [{ on: 'upload', fault: 'lose_answer' }] });
    await failureOf(bench.submit());
    expect(bench.refs).toEqual({});
    expect(server.counters.files_uploaded).toBe(1);
    expect(await gather(bench.api.inventory(bench.call()))).toMatchObject([{ kind: 'file', token: 'weir-shard-1' }]);
  });

  it('says that an account has no money left, which is not the same as a full queue', async () => {
    const body = JSON.stringify({ error: { message: 'You exceeded your current quota.', code: 'insufficient_quota' } });
    const server = await startScriptedServer(({ socket }) => socket.write(httpAnswer(429, body)));
    closings.push(() => server.close());
    const bench = await openAt(server.url);
    expect((await failureOf(bench.submit())).kind).toBe('quota_exhausted');
  });

  it('names files and metadata by the token and keeps the client’s own metadata', async () => {
    const { bench } = await open();
    const input = { ...bench.input(), options: { metadata: { team: 'a' } } };
    const batch = await bench.api.submit(input, bench.call());
    const { details } = await bench.api.poll(batch, bench.call());
    expect(details).toMatchObject({ metadata: { team: 'a', weir_token: 'weir-shard-1' }, completion_window: '24h' });
  });

  it('refuses options that are not the client’s to set, before anything is sent', async () => {
    const { bench, server } = await open();
    for (const [options, param] of [
      [{ input_file_id: 'file-x' }, 'input_file_id'],
      [{ completion_window: '1h' }, 'completion_window'],
      [{ metadata: { tags: ['a'] } }, 'metadata'],
    ] as const) {
      const failure = await failureOf(bench.api.submit({ ...bench.input(), options }, bench.call()));
      expect(failure).toMatchObject({ kind: 'invalid_request', param, reachedProvider: false });
    }
    expect(server.counters.by_operation.upload).toBe(0);
  });

  it('reads its input no faster than it is sent, and stops when it is aborted', async () => {
    const server = createServer((socket) => socket.on('error', () => {}).pause());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closings.push(async () => void server.close());
    const bench = await openAt(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    let produced = 0;
    let isClosed = false;
    const chunk = new Uint8Array(64 * 1024);
    const input = {
      ...bench.input(),
      bytes: 4096 * chunk.length,
      async *open() {
        try {
          for (let number = 0; number < 4096; number += 1) {
            produced += chunk.length;
            yield chunk;
          }
        } finally {
          isClosed = true;
        }
      },
    };
    const controller = new AbortController();
    bench.signal = controller.signal;
    const failure = failureOf(bench.api.submit(input, bench.call()));
    await until(() => produced > 0);
    let last = -1;
    while (last !== produced) {
      last = produced;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(produced).toBeLessThan(64 * 1024 * 1024);
    controller.abort();
    expect((await failure).kind).toBe('interrupted');
    await until(() => isClosed);
  });

  it('hands on what its own input throws, and does not blame the provider', async () => {
    const { bench, server } = await open();
    const input = {
      ...bench.input(),
      // biome-ignore lint/correctness/useYield: it fails before it has anything.
      async *open(): AsyncGenerator<Uint8Array> {
        throw new Error('the disk is gone');
      },
    };
    await expect(bench.api.submit(input, bench.call())).rejects.toThrow('the disk is gone');
    expect(server.held().files).toBe(0);
  });
});

describe('finding and listing at OpenAI', () => {
  it('follows the list to its end', async () => {
    const { bench } = await open({ stop_at: 0 });
    const first = await bench.submit('weir-shard-0');
    for (let number = 1; number < 230; number += 1) await bench.submit(`weir-shard-${number}`, 1);
    expect(await bench.api.find('weir-shard-0', {}, bench.call())).toMatchObject({ id: first.id });
    const objects = await gather(bench.api.inventory(bench.call()));
    expect(objects.filter(({ kind }) => kind === 'batch')).toHaveLength(230);
    expect(objects.filter(({ kind }) => kind === 'file')).toHaveLength(230);
    expect(new Set(objects.map(({ token }) => token)).size).toBe(230);
  });

  it('looks no further back than the submission', async () => {
    const { bench, server } = await open({ stop_at: 0 });
    for (let number = 0; number < 120; number += 1) await bench.submit(`weir-shard-${number}`, 1);
    const before = server.counters.by_operation.list;
    const tomorrow = String(Math.floor(Date.now() / 1000) + 86_400);
    expect(await bench.api.find('weir-other', { submitted_at: tomorrow }, bench.call())).toBeNull();
    expect(server.counters.by_operation.list).toBe(before + 1);
  });

  it('prefers the batch that did not fail where one token made two', async () => {
    const { bench, server } = await open({ refuse_lines: [1] });
    const failed = await bench.submit();
    expect((await bench.over(failed)).progress.state).toBe('failed');
    server.configure({ refuse_lines: [] });
    const good = await bench.submit();
    expect(await bench.api.find('weir-shard-1', {}, bench.call())).toMatchObject({ id: good.id });
  });

  it('does not say that there is nothing when a list makes no sense', async () => {
    const server = await startScriptedServer(({ socket }) => socket.write(httpAnswer(200, '{"object":"list"}')));
    closings.push(() => server.close());
    const bench = await openAt(server.url);
    expect((await failureOf(bench.api.find('weir-shard-1', {}, bench.call()))).kind).toBe('bad_response');
  });
});

describe('reading results of OpenAI', () => {
  it('reads again from the start where ranges are ignored, and hands on each line once', async () => {
    const { bench, server } = await open({ ranges: false });
    const { batch } = await bench.over(await bench.submit());
    server.configure({ faults: [{ on: 'content', fault: 'cut', times: 2 }] });
    expect(keysOf(await bench.collect(batch))).toEqual(bench.keys().toSorted());
    expect(server.counters.by_operation.content).toBe(3);
  });

  it('goes on by range where it can', async () => {
    const { bench, server } = await open({ answer_bytes: 100_000 });
    const { batch } = await bench.over(await bench.submit());
    server.configure({ faults: [{ on: 'content', fault: 'cut', times: 3 }] });
    const before = server.counters.content_bytes_sent;
    expect(keysOf(await bench.collect(batch))).toEqual(bench.keys().toSorted());
    const file = await bench.api.poll(batch, bench.call());
    expect(file.state).toBe('ended');
    // Reading anew each time would have sent the file twice over.
    expect(server.counters.content_bytes_sent - before).toBeLessThan(1.1 * 8 * 101_000);
  });

  it('refuses a file that reads otherwise the second time', async () => {
    const { bench, server } = await open({ ranges: false });
    const { batch } = await bench.over(await bench.submit());
    server.configure({
      faults: [
        { on: 'content', fault: 'cut' },
        { on: 'content', fault: 'change' },
      ],
    });
    expect(await failureOf(bench.collect(batch))).toMatchObject({ kind: 'bad_response', code: 'file_changed' });
  });

  it('gives a file up that never comes whole', async () => {
    const { bench, server } = await open();
    const { batch } = await bench.over(await bench.submit());
    server.configure({ faults: [{ on: 'content', fault: 500, times: null }] });
    expect((await failureOf(bench.collect(batch))).kind).toBe('server_error');
    expect(server.counters.by_operation.content).toBe(3);
  });

  it('goes by the counts where nothing tells the length of a file', async () => {
    const { bench, server } = await open({ faults: [] });
    const { batch } = await bench.over(await bench.submit());
    server.configure({
      faults: [
        { on: 'file', fault: 404, times: null },
        { on: 'content', fault: 'shorten' },
      ],
    });
    expect(await failureOf(bench.collect(batch))).toMatchObject({ kind: 'bad_response', code: 'download_incomplete' });
    expect(keysOf(await bench.collect(batch))).toEqual(bench.keys().toSorted());
  });

  it('reads the files it knows of when the batch is not found for once', async () => {
    const { bench, server } = await open();
    const { batch } = await bench.over(await bench.submit());
    server.configure({ faults: [{ on: 'poll', fault: 404 }] });
    expect(await bench.collect(batch)).toHaveLength(bench.size);
  });

  it('goes on after the service was away', async () => {
    const { bench, server } = await open();
    const { batch } = await bench.over(await bench.submit());
    await server.crash();
    expect(await failureOf(bench.collect(batch))).toMatchObject({ kind: 'connection', status: null });
    await server.restart();
    expect(await bench.collect(batch)).toHaveLength(bench.size);
  });

  it('ends the download when the reader stops', async () => {
    const { bench, server } = await open({ answer_bytes: 4_000_000 });
    const { batch } = await bench.over(await bench.submit());
    for await (const { result } of bench.api.results(batch, bench.call())) {
      expect(result.ok).toBe(true);
      break;
    }
    const sent = server.counters.content_bytes_sent;
    expect(sent).toBeLessThan(8 * 4_000_000);
    await bench.collect(batch);
    expect(server.counters.content_bytes_sent).toBeGreaterThanOrEqual(sent + 8 * 4_000_000);
  });
});

describe('calls to OpenAI', () => {
  it('do not follow a redirect with their credential', async () => {
    const elsewhere = await startScriptedServer(({ socket }) => socket.write(httpAnswer(200, '{}')));
    const here = await startScriptedServer(({ socket }) =>
      socket.write(httpAnswer(307, '', { location: `${elsewhere.url}/v1/batches/b` })),
    );
    closings.push(
      () => elsewhere.close(),
      () => here.close(),
    );
    const bench = await openAt(here.url);
    const failure = await failureOf(bench.api.poll({ id: 'b', refs: {} }, bench.call()));
    expect(failure).toMatchObject({ code: 'redirect_refused', status: 307 });
    expect(here.requests[0]?.headers.authorization).toBe(`Bearer ${secret}`);
    expect(elsewhere.requests).toHaveLength(0);
  });

  it('keep ids inside their path, and send the organisation and project of the config', async () => {
    const server = await startScriptedServer(({ socket }) => socket.write(httpAnswer(404, '{}')));
    closings.push(() => server.close());
    const { bench } = await open();
    const settings = { base_url: server.url, api_key: secret, organization: 'org-a', project: 'proj-b' };
    const provider = createProvider('openai', settings);
    const other = new Bench({ ...bench.subject, provider, stop: async () => {} });
    closings.push(() => other.close());
    await failureOf(other.api.poll({ id: '../files?x=', refs: {} }, other.call()));
    expect(server.requests[0]).toMatchObject({
      path: '/v1/batches/..%2Ffiles%3Fx%3D',
      headers: { 'openai-organization': 'org-a', 'openai-project': 'proj-b' },
    });
  });

  it('give up on a service that does not answer', async () => {
    const server = await startScriptedServer(() => {});
    closings.push(() => server.close());
    const bench = await openAt(server.url);
    const call = { ...bench.call(), timeoutMs: 150 };
    const failure = await failureOf(bench.api.poll({ id: 'b', refs: {} }, call));
    expect(failure).toMatchObject({ kind: 'timeout', status: null, reachedProvider: true });
  });

  it('refuse an answer larger than it may be', async () => {
    const server = await startScriptedServer(({ socket }) =>
      socket.write(httpAnswer(200, `{"id":"${'x'.repeat(5000)}"}`)),
    );
    closings.push(() => server.close());
    const bench = await openAt(server.url);
    const call = { ...bench.call(), maxResponseBytes: 1000 };
    expect((await failureOf(bench.api.poll({ id: 'b', refs: {} }, call))).code).toBe('response_too_large');
  });
});

it('the simulated service can be steered from another process', async () => {
  const server = await startOpenAIBatchServer();
  closings.push(() => server.stop());
  const post = (action: string, body: string) =>
    fetch(`${server.url}/__control/batches/${action}`, { method: 'POST', body });
  expect((await post('configure', '{"job_ms": 5, "faults": [{"on":"poll","fault":503}]}')).status).toBe(200);
  expect(server.settings).toMatchObject({ job_ms: 5, faults: [{ on: 'poll', fault: 503, times: 1 }] });
  expect((await post('configure', '{"job_msec": 5}')).status).toBe(400);
  expect((await post('explode', '{}')).status).toBe(400);
  const counters = (await (await fetch(`${server.url}/__control/batches/counters`)).json()) as object;
  expect(counters).toMatchObject({ live: 0, files: 0, counters: { batches_created: 0 } });
});

import { describe, expect, it } from 'vitest';
import { startOpenAIBatchServer } from '../../../providers/sandbox/servers/openai-batch.ts';
import { Bench, failureOf, keysOf } from '../../contract/provider-batch-setup.ts';
import { createProvider } from '../kinds.ts';
import { httpAnswer, startScriptedServer } from '../scripted-server.ts';
import { closeLater, open, openAt, secret } from './batch-bench.ts';

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
    closeLater(
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
    closeLater(() => server.close());
    const { bench } = await open();
    const settings = { base_url: server.url, api_key: secret, organization: 'org-a', project: 'proj-b' };
    const provider = createProvider('openai', settings);
    const other = new Bench({ ...bench.subject, provider, stop: async () => {} });
    closeLater(() => other.close());
    await failureOf(other.api.poll({ id: '../files?x=', refs: {} }, other.call()));
    expect(server.requests[0]).toMatchObject({
      path: '/v1/batches/..%2Ffiles%3Fx%3D',
      headers: { 'openai-organization': 'org-a', 'openai-project': 'proj-b' },
    });
  });

  it('give up on a service that does not answer', async () => {
    const server = await startScriptedServer(() => {});
    closeLater(() => server.close());
    const bench = await openAt(server.url);
    const call = { ...bench.call(), timeoutMs: 150 };
    const failure = await failureOf(bench.api.poll({ id: 'b', refs: {} }, call));
    expect(failure).toMatchObject({ kind: 'timeout', status: null, reachedProvider: true });
  });

  it('refuse an answer larger than it may be', async () => {
    const server = await startScriptedServer(({ socket }) =>
      socket.write(httpAnswer(200, `{"id":"${'x'.repeat(5000)}"}`)),
    );
    closeLater(() => server.close());
    const bench = await openAt(server.url);
    const call = { ...bench.call(), maxResponseBytes: 1000 };
    expect((await failureOf(bench.api.poll({ id: 'b', refs: {} }, call))).code).toBe('response_too_large');
  });
});

it('the simulated service can be steered from another process', async () => {
  const server = await startOpenAIBatchServer();
  closeLater(() => server.stop());
  const post = (action: string, body: string) =>
    fetch(`${server.url}/__control/batches/${action}`, { method: 'POST', body });
  expect((await post('configure', '{"job_ms": 5, "faults": [{"on":"poll","fault":503}]}')).status).toBe(200);
  expect(server.settings).toMatchObject({ job_ms: 5, faults: [{ on: 'poll', fault: 503, times: 1 }] });
  expect((await post('configure', '{"job_msec": 5}')).status).toBe(400);
  expect((await post('explode', '{}')).status).toBe(400);
  const counters = (await (await fetch(`${server.url}/__control/batches/counters`)).json()) as object;
  expect(counters).toMatchObject({ live: 0, files: 0, counters: { batches_created: 0 } });
});

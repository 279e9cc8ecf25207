import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { failureOf, gather } from '../../contract/provider-batch-setup.ts';
import { httpAnswer, startScriptedServer, until } from '../scripted-server.ts';
import { closeLater, open, openAt } from './batch-bench.ts';

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
    closeLater(() => server.close());
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
    closeLater(async () => void server.close());
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

  it.each([true, false])('follows a list that does not say whether it goes on (cursor known: %s)', async (isKnown) => {
    const ids = Array.from({ length: 150 }, (_, index) => `batch_${index}`);
    const server = await startScriptedServer(({ socket, path }) => {
      const after = new URL(path, 'http://x').searchParams.get('after');
      const start = isKnown && after !== null ? ids.indexOf(after) + 1 : 0;
      const data = ids
        .slice(start, start + 100)
        .map((id) => ({ id, status: 'in_progress', metadata: { weir_token: id.replace('_', '-') } }));
      socket.write(httpAnswer(200, JSON.stringify({ data: path.includes('/files') ? [] : data })));
    });
    closeLater(() => server.close());
    const bench = await openAt(server.url);
    const listed = await gather(bench.api.inventory(bench.call()));
    expect(listed.map(({ id }) => id)).toEqual(isKnown ? ids : ids.slice(0, 100));
    expect(await bench.api.find('batch-149', {}, bench.call())).toEqual(
      isKnown ? expect.objectContaining({ id: 'batch_149' }) : null,
    );
  });

  it('does not say that there is nothing when a list makes no sense', async () => {
    const server = await startScriptedServer(({ socket }) => socket.write(httpAnswer(200, '{"object":"list"}')));
    closeLater(() => server.close());
    const bench = await openAt(server.url);
    expect((await failureOf(bench.api.find('weir-shard-1', {}, bench.call()))).kind).toBe('bad_response');
  });
});

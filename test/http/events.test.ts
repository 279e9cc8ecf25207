import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type BatchesEvent, batchesEventSchema } from '../../src/protocol/events.ts';
import { batchRow } from '../contract/store/subject.ts';
import { errorOf, type Harness, openHarness } from './harness.ts';

let harness: Harness;
let leave: AbortController;
beforeEach(async () => {
  harness = await openHarness();
  leave = new AbortController();
});
afterEach(async () => {
  leave.abort();
  await harness.close();
});

/** Opens a stream; each call of what it answers waits for the next event. */
async function follow(options: { key?: string; query?: string; lastId?: string } = {}) {
  const headers = {
    authorization: `Bearer ${options.key ?? 'the-operators-own-admin-key'}`,
    ...(options.lastId !== undefined && { 'last-event-id': options.lastId }),
  };
  const own = new AbortController();
  const answer = await harness.app.request(`/v1/events${options.query ?? ''}`, {
    headers,
    signal: AbortSignal.any([leave.signal, own.signal]),
  });
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toBe('text/event-stream');
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  return {
    async next(): Promise<{ id: string; event: BatchesEvent }> {
      for (;;) {
        const end = text.indexOf('\n\n');
        if (end < 0) {
          text += (await reader.read()).value;
          continue;
        }
        const message = text.slice(0, end);
        text = text.slice(end + 2);
        const parts = /^id: (\S+)\nevent: batches\ndata: (.+)$/.exec(message);
        if (parts) return { id: parts[1] ?? '', event: batchesEventSchema.parse(JSON.parse(parts[2] ?? '')) };
      }
    },
    close() {
      own.abort();
      return reader.cancel();
    },
  };
}

const insert = (id: string, change: Parameters<typeof batchRow>[1] = {}) =>
  harness.deps.store.batches.insert(batchRow(id, { tenantId: 'default', ...change }));

const ids = (batches: readonly { id: string }[]) => batches.map(({ id }) => id);

describe('/v1/events', () => {
  it('tells what runs, what began and what ended, of the own tenant alone', async () => {
    await insert('batch_1');
    await insert('batch_done', { status: 'completed' });
    await insert('batch_theirs', { tenantId: 'acme' });
    const stream = await follow();
    const first = (await stream.next()).event;
    expect(ids(first.running)).toEqual(['batch_1']);
    expect(first).toMatchObject({ ended: [], complete: false });
    await insert('batch_2');
    expect(ids((await stream.next()).event.running)).toEqual(['batch_2', 'batch_1']);
    await harness.deps.store.batches.cancel('all', 'batch_1', 1_790_000_000);
    const cancelling = (await stream.next()).event.running.find(({ id }) => id === 'batch_1');
    expect(cancelling?.status).toBe('cancelling');
    await harness.deps.store.batches.claimDue({ now: 2e9, until: 2e9 + 9, token: 't', limit: 9 });
    const end = { now: 2e9, status: 'cancelled', completed: 0, failed: 0, outputFile: null, errorFile: null } as const;
    expect(await harness.deps.store.batches.finish('batch_1', 't', end)).toBe(true);
    const last = (await stream.next()).event;
    expect(ids(last.running)).toEqual(['batch_2']);
    expect(last.ended).toMatchObject([{ id: 'batch_1', status: 'cancelled' }]);
    expect(last.complete).toBe(true);
    await stream.close();
  });

  it('goes on where a reader left, and says so when it cannot', async () => {
    await insert('batch_1', { status: 'validating' });
    const stays = await follow();
    const leaves = await follow();
    const { id } = await leaves.next();
    await leaves.close();
    await stays.next();
    const [due] = await harness.deps.store.batches.claimDue({ now: 2e9, until: 2e9 + 9, token: 't', limit: 1 });
    await harness.deps.store.batches.fail(due?.id ?? '', 't', { now: 2e9, errors: [] });
    await stays.next();
    const back = await follow({ lastId: id });
    expect((await back.next()).event).toMatchObject({ running: [], ended: [{ id: 'batch_1' }], complete: true });
    const stranger = await follow({ lastId: 'elsewhere.1-4' });
    expect((await stranger.next()).event).toMatchObject({ ended: [], complete: false });
    await Promise.all([stays.close(), back.close(), stranger.close()]);
  });

  it('shows all tenants to administrators who ask, and refuses others', async () => {
    await insert('batch_1');
    await insert('batch_theirs', { tenantId: 'acme' });
    const all = await follow({ query: '?tenant_id=*' });
    expect(ids((await all.next()).event.running)).toEqual(['batch_theirs', 'batch_1']);
    const { secret } = await harness.makeKey({ tenant_id: 'acme' });
    const own = await follow({ key: secret });
    expect(ids((await own.next()).event.running)).toEqual(['batch_theirs']);
    await Promise.all([all.close(), own.close()]);
    const refused = await harness.send('GET', '/v1/events?tenant_id=*', { key: secret });
    expect([refused.status, (await errorOf(refused)).code]).toEqual([403, 'admin_required']);
  });

  it('bounds the streams that are open at once, and forgets those that were closed', async () => {
    const streams = await Promise.all(Array.from({ length: 100 }, () => follow()));
    await Promise.all(streams.map((stream) => stream.next()));
    expect((await harness.send('GET', '/v1/events')).status).toBe(429);
    await Promise.all(streams.map((stream) => stream.close()));
    const again = await follow();
    await again.next();
    await again.close();
  });
});

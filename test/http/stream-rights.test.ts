import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../src/ports/clock.ts';
import { KEY_FRESH_MS } from '../../src/services/keys/authenticate.ts';
import { hashSecret } from '../../src/services/keys/secret.ts';
import { batchRow } from '../contract/store/subject.ts';
import { type Harness, openHarness } from './harness.ts';

/** Other waits are as long as they are asked for; those between looks at the keys end when the test says so. */
let looks: (() => void)[];
let harness: Harness;
let leave: AbortController;

const clock: Clock = {
  now: () => 1_790_000_000_000,
  micros: () => performance.now() * 1000,
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (ms === KEY_FRESH_MS) looks.push(resolve);
      else setTimeout(resolve, ms).unref();
      if (signal?.aborted) resolve();
      signal?.addEventListener('abort', () => resolve());
    }),
};

beforeEach(async () => {
  looks = [];
  harness = await openHarness({ clock });
  leave = new AbortController();
  const running = { tenantId: 'default', status: 'in_progress' } as const;
  await harness.deps.store.batches.insert(batchRow('batch_1', running));
});
afterEach(async () => {
  leave.abort();
  await harness.close();
});

const PATHS = { events: '/v1/events', output: '/v1/batches/batch_1/output?follow=true' };

/** How a stream that was opened with `headers` ends; it is open when this answers. */
async function open(path: string, headers: Record<string, string>): Promise<{ end: Promise<'closed' | 'broken'> }> {
  const answer = await harness.app.request(path, { headers, signal: leave.signal });
  expect(answer.status).toBe(200);
  const reader = answer.body!.getReader();
  const drain = async (): Promise<'closed' | 'broken'> => {
    try {
      while (!(await reader.read()).done);
      return 'closed';
    } catch {
      return 'broken';
    }
  };
  return { end: drain() };
}

const bearer = (secret: string) => ({ authorization: `Bearer ${secret}` });

async function signIn(secret: string): Promise<Record<string, string>> {
  const answer = await harness.send('POST', '/v1/session', { key: secret });
  const cookie = answer.headers.get('set-cookie')?.split(';')[0] ?? '';
  return { cookie, 'x-weir-dashboard': '1' };
}

/** Lets the next look at the keys of open streams happen. */
async function look(): Promise<void> {
  while (looks.length === 0) await new Promise((wake) => setImmediate(wake));
  for (const wake of looks.splice(0)) wake();
}

describe('open streams', () => {
  it.each([
    ['events', 'closed'],
    ['output', 'broken'],
  ] as const)('of %s end with the key that opened them, and with its sessions', async (name, how) => {
    const { id, secret } = await harness.makeKey();
    const other = await harness.makeKey();
    const streams = await Promise.all([open(PATHS[name], bearer(secret)), open(PATHS[name], await signIn(secret))]);
    let isOpen = true;
    void (await open(PATHS[name], bearer(other.secret))).end.then(() => {
      isOpen = false;
    });
    await harness.send('POST', `/v1/keys/${id}/revoke`);
    expect(await Promise.all(streams.map(({ end }) => end))).toEqual([how, how]);
    expect(isOpen).toBe(true);
  });

  it('of a browser end when it signs out', async () => {
    const { secret } = await harness.makeKey();
    const session = await signIn(secret);
    const { end } = await open(PATHS.events, session);
    await harness.send('DELETE', '/v1/session', { key: null, headers: session });
    expect(await end).toBe('closed');
  });

  it('end when another server has revoked the key or ended the session, after one look for all of them', async () => {
    const { id, secret } = await harness.makeKey();
    const session = await signIn((await harness.makeKey()).secret);
    const { keys, sessions } = harness.deps.store;
    let asked = 0;
    const { working } = keys;
    keys.working = (ids) => {
      asked += 1;
      return working.call(keys, ids);
    };
    const streams = await Promise.all([
      open(PATHS.events, bearer(secret)),
      open(PATHS.output, bearer(secret)),
      open(PATHS.events, session),
    ]);
    await look();
    await keys.revoke(id, 1);
    await sessions.delete(hashSecret(session.cookie?.split('=')[1] ?? ''));
    await look();
    expect(await Promise.all(streams.map(({ end }) => end))).toEqual(['closed', 'broken', 'closed']);
    expect(asked).toBe(2);
  });

  it('outlast a look that the database does not answer', async () => {
    const { id, secret } = await harness.makeKey();
    const { keys } = harness.deps.store;
    const { working } = keys;
    keys.working = () => Promise.reject(new Error('away'));
    const { end } = await open(PATHS.events, bearer(secret));
    await look();
    while (!harness.log.some(({ level }) => level === 'warn')) await new Promise((wake) => setImmediate(wake));
    keys.working = working;
    await keys.revoke(id, 1);
    await look();
    expect(await end).toBe('closed');
  });
});

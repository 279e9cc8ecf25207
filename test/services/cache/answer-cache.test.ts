import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Success } from '../../../providers/contract.ts';
import type { Log } from '../../../src/ports/log.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { createAnswerCache } from '../../../src/services/cache/answer-cache.ts';
import { openStore } from '../../../src/store/open-node.ts';
import { temporaryFolder } from '../../e2e/weir.ts';

let folder: string;
let store: Awaited<ReturnType<typeof openStore>>;

beforeEach(async () => {
  folder = await temporaryFolder();
  store = await openStore({ url: `file:${join(folder, 'weir.db')}` });
});

afterEach(async () => {
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

it('asks anew for an answer that a disk has changed, and keeps that one', async () => {
  const said: unknown[] = [];
  const log = { warn: (_fields: object, text: string) => said.push(text) } as unknown as Log;
  const cache = createAnswerCache({ store, clock: systemClock, log });
  const ask = { key: 'a-key', tenantId: 'default', maxAgeSeconds: 60 };
  const now = Math.floor(systemClock.now() / 1000);
  const row = { key: ask.key, tenantId: ask.tenantId, createdAt: now, expiresAt: now + 60 };
  await store.cache.keep([{ ...row, answer: '{"ok":true,"body":"half of' }]);

  const answer = { ok: true, body: 'whole' } as unknown as Success;
  const made = await cache.through(ask, async () => answer);
  expect(made).toEqual({ result: answer, cached: false });
  expect(said).toEqual(['a kept answer cannot be read']);
  await expect.poll(async () => (await store.cache.find([ask.key], now))[0]?.answer).toContain('whole');
  expect(await cache.through(ask, () => Promise.reject(new Error('asked again')))).toMatchObject({ cached: true });
});

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BatchObject } from '../../src/protocol/batch.ts';
import { makeProvider } from '../services/model-server.ts';
import { errorOf, type Harness, openHarness } from './harness.ts';

let harness: Harness;
let fileId: string;

beforeEach(async () => {
  const base = 'http://127.0.0.1:9/v1';
  harness = await openHarness({
    providers: new Map([
      makeProvider('openai-eu', { kind: 'openai', base_url: base, api_key: 'sk-test', models: ['m'] }),
      makeProvider('pool', { kind: 'vllm', base_urls: [base], models: ['m'] }),
    ]),
  });
  const body = { model: 'm', messages: [{ role: 'user', content: 'Hello' }] };
  const line = JSON.stringify({ custom_id: 'a', method: 'POST', url: '/v1/chat/completions', body });
  const form = new FormData();
  form.set('purpose', 'batch');
  form.set('file', new File([`${line}\n`], 'in.jsonl'));
  fileId = ((await (await harness.send('POST', '/v1/files', { body: form })).json()) as { id: string }).id;
});
afterEach(() => harness.close());

function create(members: object): Promise<Response> {
  const order = { input_file_id: fileId, endpoint: '/v1/chat/completions', completion_window: '24h', ...members };
  return harness.send('POST', '/v1/batches', { json: order });
}

/** The options that the batch of an answer is stored with. */
async function storedOptions(answer: Response): Promise<unknown> {
  expect(answer.status).toBe(200);
  const { id } = (await answer.json()) as BatchObject;
  return (await harness.deps.store.batches.get('all', id))?.options;
}

/** The refusal of a create call; no batch is made. */
async function refusal(members: object): Promise<{ param: string | null; message: string; code: string | null }> {
  const answer = await create(members);
  expect(answer.status).toBe(400);
  const list = (await (await harness.send('GET', '/v1/batches')).json()) as { data: unknown[] };
  expect(list.data).toEqual([]);
  return errorOf(answer);
}

describe('POST /v1/batches', () => {
  it('repeated with its key gives the batch that is there, also when its answer was not remembered and its input is gone', async () => {
    const { idempotency } = harness.deps.store;
    const { finish } = idempotency;
    idempotency.finish = () => Promise.reject(new Error('the disk is full'));
    const order = { input_file_id: fileId, endpoint: '/v1/chat/completions', completion_window: '24h' };
    const headers = { 'idempotency-key': 'k' };
    const first = await harness.send('POST', '/v1/batches', { json: order, headers });
    const { id } = (await first.json()) as BatchObject;
    idempotency.finish = finish.bind(idempotency);
    expect((await harness.send('DELETE', `/v1/files/${fileId}`)).status).toBe(200);
    harness.time.nowMs += 1000 * (harness.deps.settings.leaseSeconds + 1);
    for (const replayed of [null, 'true']) {
      const again = await harness.send('POST', '/v1/batches', { json: order, headers });
      expect(again.status).toBe(200);
      expect(again.headers.get('idempotent-replayed')).toBe(replayed);
      expect(((await again.json()) as BatchObject).id).toBe(id);
    }
    const list = (await (await harness.send('GET', '/v1/batches')).json()) as { data: unknown[] };
    expect(list.data).toHaveLength(1);
  });

  it('keeps provider_options and include_raw with the batch, and nothing when neither is asked for', async () => {
    const options = { 'openai-eu': { metadata: { team: 'Grüße' }, output_expires_after: null } };
    expect(await storedOptions(await create({ provider_options: options, include_raw: true }))).toEqual({
      providerOptions: options,
      includeRaw: true,
    });
    const raw = { providerOptions: {}, includeRaw: true };
    expect(await storedOptions(await create({ include_raw: true, completion_window: 'immediate' }))).toEqual(raw);
    expect(await storedOptions(await create({ provider_options: {}, include_raw: false }))).toBeNull();
    expect(await storedOptions(await create({ provider_options: null, include_raw: null }))).toBeNull();
  });

  it('refuses provider_options of a provider that there is not, and names one that was meant', async () => {
    const error = await refusal({ provider_options: { 'openai-eu': {}, 'openai-us': {} } });
    expect(error).toMatchObject({ param: 'provider_options.openai-us', code: 'invalid_value' });
    expect(error.message).toContain("Did you mean 'openai-eu'?");
    expect(await refusal({ provider_options: { constructor: {} } })).toMatchObject({
      param: 'provider_options.constructor',
    });
  });

  it.each([
    ['for a provider without a batch service', { provider_options: { pool: {} } }, 'provider_options.pool', 'effect'],
    [
      'in a batch that runs at once',
      { provider_options: { 'openai-eu': {} }, completion_window: 'immediate' },
      'provider_options',
      "'24h'",
    ],
    ['that are no object', { provider_options: ['openai-eu'] }, 'provider_options', 'an object'],
    [
      'that are no object by provider',
      { provider_options: { 'openai-eu': 'x' } },
      'provider_options.openai-eu',
      'an object',
    ],
    [
      'that are a list by provider',
      { provider_options: { 'openai-eu': [1] } },
      'provider_options.openai-eu',
      'an object',
    ],
  ])('refuses provider_options %s', async (_name, members, param, told) => {
    const error = await refusal(members);
    expect(error.param).toBe(param);
    expect(error.message).toContain(told);
  });

  it('bounds provider_options by their bytes as JSON, characters beyond ASCII counted in full', async () => {
    const withBytes = (bytes: number, filler: string) => {
      const empty = Buffer.byteLength(JSON.stringify({ 'openai-eu': { note: '' } }));
      return { 'openai-eu': { note: filler.repeat((bytes - empty) / Buffer.byteLength(filler)) } };
    };
    expect((await create({ provider_options: withBytes(16_384, 'x') })).status).toBe(200);
    const stored = await harness.send('GET', '/v1/batches');
    expect(((await stored.json()) as { data: unknown[] }).data).toHaveLength(1);
    for (const [size, filler] of [
      [16_385, 'x'],
      [16_386, 'é'],
    ] as const) {
      const answer = await create({ provider_options: withBytes(size, filler) });
      expect(answer.status).toBe(400);
      expect(await errorOf(answer)).toMatchObject({ param: 'provider_options', code: 'invalid_value' });
    }
  });

  it('refuses provider_options that are nested too deeply to be written', async () => {
    const deep = `{"openai-eu":{"a":${'['.repeat(7_000)}${']'.repeat(7_000)}}}`;
    const order = `{"input_file_id":"${fileId}","endpoint":"/v1/chat/completions","completion_window":"24h","provider_options":${deep}}`;
    const headers = { 'content-type': 'application/json' };
    const answer = await harness.send('POST', '/v1/batches', { body: order, headers });
    expect(answer.status).toBe(400);
    expect(await errorOf(answer)).toMatchObject({ param: 'provider_options' });
  });

  it.each(['confg', 'completion_windw', 'metdata', 'provider_option', 'portkey_options'])(
    'refuses %s, which would run the lines otherwise than was asked for',
    async (name) => {
      expect(await refusal({ [name]: {} })).toMatchObject({ code: 'unknown_parameter', param: name });
    },
  );

  it('refuses what a retry does not take, and takes a body without members', async () => {
    const retry = (options: object) => harness.send('POST', '/v1/batches/batch_none/retry', options);
    const refused = await retry({ json: { completion_window: 'immediate' } });
    expect(refused.status).toBe(400);
    expect(await errorOf(refused)).toMatchObject({ code: 'unknown_parameter', param: 'completion_window' });
    const headers = { 'content-type': 'application/json' };
    for (const options of [{ json: {} }, { json: null }, { body: '', headers }, {}]) {
      expect((await retry(options)).status).toBe(404);
    }
  });

  it('refuses an include_raw that is neither true nor false', async () => {
    expect(await refusal({ include_raw: 'yes' })).toMatchObject({ param: 'include_raw', code: 'invalid_type' });
  });
});

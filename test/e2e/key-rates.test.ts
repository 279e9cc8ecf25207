import OpenAI from 'openai';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { assertInvariants } from './invariants.ts';
import {
  chatLines,
  connect,
  type Pools,
  splitConfig,
  startPools,
  startWeir,
  submit,
  type Weir,
  waitForBatch,
} from './weir.ts';

const TOKENS_PER_MINUTE = 12_000;

describe('a key whose tokens a minute a batch of small lines uses up', () => {
  let pools: Pools;
  let weir: Weir;
  let owner: Omit<Weir, 'stop'>;
  let secret: string;
  let small: string;

  beforeEach(async () => {
    pools = await startPools([{ models: ['gpt-4o-mini'] }]);
    weir = await startWeir(splitConfig([pools.servers[0]!.baseUrl], [1]));
    const limits = { tokens_per_minute: TOKENS_PER_MINUTE };
    const body = JSON.stringify({ name: 'limited', tenant_id: 'limited', limits });
    secret = (await weir.call<{ secret: string }>('/v1/keys', { method: 'POST', body })).secret;
    owner = connect(weir.url, secret);
    small = (await submit(owner, chatLines(3_000))).id;
    await waitForBatch(owner, small, { until: (batch) => (batch.request_counts?.completed ?? 0) >= 90 });
  }, 60_000);

  afterEach(async () => {
    await owner.client.batches.cancel(small);
    await waitForBatch(owner, small);
    await weir.stop();
    await pools.stop();
  });

  it('sends the large lines of another batch in their turn', async () => {
    const large = chatLines(3, () => ({ max_tokens: 2_000 }));
    const { id } = await submit(owner, large);
    await waitForBatch(owner, id, { seconds: 60 });
    expect((await owner.client.batches.retrieve(small)).status).toBe('in_progress');
    await assertInvariants(owner, id, large);
  }, 90_000);

  it('takes a large call after the wait that it was told', async () => {
    const client = new OpenAI({ apiKey: secret, baseURL: `${weir.url}/v1`, maxRetries: 2 });
    const messages = [{ role: 'user' as const, content: 'What is 2 + 2?' }];
    const answer = await client.chat.completions.create({ model: 'gpt-4o-mini', messages, max_tokens: 4_000 });
    expect(answer.choices).toHaveLength(1);
    expect((await owner.client.batches.retrieve(small)).status).toBe('in_progress');
  }, 90_000);
});

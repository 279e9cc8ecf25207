import { afterEach, describe, expect, it } from 'vitest';
import {
  type LiveBedrockOptions,
  type SimulatedBedrock,
  startBedrockServer,
} from '../../providers/sandbox/servers/bedrock.ts';
import { bedrockEntry } from './bedrock-entry.ts';
import { assertInvariants } from './invariants.ts';
import { startWeir, submit, type Weir, waitForBatch } from './weir.ts';

const model = 'cohere.embed-v4:0';
const caller = { access_key_id: 'AKIATOTALS', secret_access_key: 'totals/secret', session_token: 'totals-token' };
const LINES = 130;

/** Requests of many lengths; every tenth has more texts than one record takes. */
function embeddingLines(): string {
  const text = (index: number) => `text ${index} ${'word '.repeat(index % 23)}`;
  return Array.from({ length: LINES }, (_, index) => {
    const input = index % 10 === 0 ? Array.from({ length: 100 }, (_text, at) => text(index + at)) : text(index);
    const body = { model, input };
    return `${JSON.stringify({ custom_id: `e-${index}`, method: 'POST', url: '/v1/embeddings', body })}\n`;
  }).join('');
}

describe('embeddings of Cohere in a job of Bedrock', () => {
  let server: SimulatedBedrock | undefined;
  let weir: Weir | undefined;
  afterEach(async () => {
    await weir?.stop();
    await server?.stop();
  });

  async function run(options: LiveBedrockOptions) {
    server = await startBedrockServer({ caller, job_ms: 100, ...options });
    const bedrock = bedrockEntry(server, caller, model, {
      price: { input: '0.12', output: '0', batch: { input: '0.06', output: '0' } },
    });
    weir = await startWeir({ providers: { bedrock }, settings: { poll_seconds_min: 1 } });
    const input = embeddingLines();
    const batch = await submit(weir, input, { window: '24h', endpoint: '/v1/embeddings' });
    const ended = await waitForBatch(weir, batch.id, { seconds: 30 });
    expect(ended.request_counts).toEqual({ total: LINES, completed: LINES, failed: 0 });
    return { ...(await assertInvariants(weir, batch.id, input)), totals: server.jobs()[0]?.totals };
  }

  it('are entered with estimates that add up to the manifest’s tokens, at the batch price', async () => {
    const { entries, lines, totals, batch } = await run({ output: { files: 2 } });
    expect(entries).toHaveLength(LINES);
    expect(totals?.inputTokens).toBeGreaterThan(LINES);
    expect(entries.reduce((sum, { usage }) => sum + (usage?.input_tokens ?? 0), 0)).toBe(totals?.inputTokens);
    for (const entry of entries) {
      expect(entry).toMatchObject({ estimated: true, mode: 'batch', unpriced_reason: null });
      expect(entry.amount_nano_usd).toBe((entry.usage?.input_tokens ?? 0) * 60);
    }
    expect(batch.usage?.input_tokens).toBe(totals?.inputTokens);
    expect(lines.every(({ weir: { warnings } }) => warnings?.some((text) => text.includes('estimated')))).toBe(true);
  }, 40_000);

  it('stay unpriced, with the reason, when there is no manifest', async () => {
    const { entries } = await run({ output: { manifest: false } });
    expect(entries).toHaveLength(LINES);
    for (const entry of entries) {
      expect(entry).toMatchObject({ estimated: false, amount_nano_usd: null, unpriced_reason: 'usage_missing' });
    }
  }, 40_000);
});

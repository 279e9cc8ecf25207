import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type SimulatedAnthropic, startAnthropicServer } from '../../providers/sandbox/servers/anthropic.ts';
import { assertInvariants } from './invariants.ts';
import { chatLines, startWeir, submit, type Weir, waitForBatch } from './weir.ts';

const MODEL = 'claude-haiku-4-5';
/** What the model writes at most. */
const MOST = 64_000;

describe('answers of Claude that are cut off', () => {
  let claude: SimulatedAnthropic;
  let weir: Weir;

  beforeEach(async () => {
    claude = await startAnthropicServer({ api_key: 'sk-ant' });
    weir = await startWeir({
      providers: {
        claude: { kind: 'anthropic', base_url: claude.url, api_key: 'sk-ant', models: [MODEL], default_max_tokens: 4 },
      },
      settings: { poll_seconds_min: 1 },
    });
  });

  afterEach(async () => {
    await weir.stop();
    await claude.stop();
  });

  const route = { provider: 'claude', model: MODEL };
  const rule = { action: 'retry', attempts: 4, otherwise: 'accept' };

  async function run(input: string, mode = 'immediate') {
    const config = { ...route, mode, on_truncation: rule };
    const { id } = await submit(weir, input, { config, window: mode === 'batch' ? '24h' : 'immediate' });
    await waitForBatch(weir, id, { seconds: 60 });
    return assertInvariants(weir, id, input);
  }

  it('at the limit that its requests are given where they name none: tried again with a larger one', async () => {
    const input = chatLines(3, () => ({ model: MODEL, max_tokens: undefined }));
    const { entries } = await run(input);
    expect(entries.length).toBeGreaterThan(3);
    const ends = entries.filter(({ status }) => status === 'succeeded');
    expect(ends.length).toBeGreaterThan(0);
    const answer = await weir.client.chat.completions.create({
      model: MODEL,
      messages: [{ role: 'user', content: 'What is 2 + 2?' }],
      config: { ...route, on_truncation: rule },
    } as never);
    expect(answer).toMatchObject({ choices: [{ finish_reason: 'stop' }] });
  });

  it('in a provider batch, at the limit that it was given: asked for again in another one', async () => {
    const input = chatLines(3, () => ({ model: MODEL, max_tokens: undefined }));
    const { entries } = await run(input, 'batch');
    expect(new Set(entries.map(({ mode }) => mode))).toEqual(new Set(['batch']));
    expect(entries.length).toBeGreaterThan(3);
    expect(entries.filter(({ status }) => status === 'succeeded')).toHaveLength(3);
  }, 90_000);

  it('at the most that the model writes: not paid for again, as no limit is larger', async () => {
    claude.configure({ stop_reason: 'max_tokens', answer_characters: 4 * MOST });
    const input = chatLines(3, () => ({ model: MODEL, max_tokens: MOST / 2 }));
    const { entries } = await run(input);
    // Once with the request's limit, once with the model's.
    expect(entries).toHaveLength(6);
  });

  it('long before their limit, as the context is full: not paid for again', async () => {
    claude.configure({ stop_reason: 'model_context_window_exceeded' });
    const { entries } = await run(chatLines(3, () => ({ model: MODEL, max_tokens: 2_000 })));
    expect(entries).toHaveLength(3);
  });
});

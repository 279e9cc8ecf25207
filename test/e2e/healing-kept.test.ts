import { afterEach, describe, expect, it } from 'vitest';
import { assertInvariants, type Books } from './invariants.ts';
import {
  chatModels,
  type NativeServices,
  poolModel,
  type ServiceName,
  startNativeServices,
} from './native-services.ts';
import { chatLines, startWeir, submit, type Weir, waitForBatch } from './weir.ts';

const SHORT = 8;
/** More than the simulated answers have. */
const ENOUGH = 128;
const LINES = 4;
const RAISE = { action: 'retry', max_tokens_factor: ENOUGH / SHORT };

describe('a paid answer of a provider batch whose line is tried again', () => {
  let services: NativeServices;
  let weir: Weir;

  afterEach(async () => {
    await weir?.stop();
    await services?.stop();
  });

  async function start(): Promise<void> {
    services = await startNativeServices({ jobMs: 100 });
    weir = await startWeir({ providers: services.providers, settings: { poll_seconds_min: 1, cancel_seconds: 2 } });
  }

  const batchAt = (provider: ServiceName) => ({ provider, model: chatModels[provider], mode: 'batch' });
  const pool = { provider: 'pool', model: poolModel, mode: 'immediate' };
  const fallback = (on_truncation: object, ...targets: object[]) => ({
    ...{ strategy: { mode: 'fallback' }, on_truncation, targets },
  });
  /** The first half is cut off. */
  const input = chatLines(LINES, (index) => ({ max_tokens: index < LINES / 2 ? SHORT : 600 }));

  async function run(config: object): Promise<Books> {
    const { id } = await submit(weir, input, { config, window: '24h' });
    await waitForBatch(weir, id, { seconds: 60 });
    return assertInvariants(weir, id, input);
  }

  const half = <T>(first: T, second: T): T[] => [first, first, second, second];
  const shown = ({ lines }: Books) =>
    lines.map(({ error, weir: { provider, attempts, finish_reason: end } }) =>
      [provider, attempts, end, error?.code].filter((each) => each !== undefined).join(' '),
    );
  const isPaid = ({ lines }: Books) => lines.every(({ weir: { cost_nano_usd: cost } }) => Number(cost) > 0);

  it.each([
    ['accept', 'does not end its own in time', 60_000, null],
    ['fail', 'ends its own', 0, 'answer_truncated'],
  ] as const)(
    'counts (%s) when the batch is cancelled and the next service %s',
    async (otherwise, _, cancelMs, code) => {
      await start();
      services.servers.openai.configure({ stop_at: 0, cancel_ms: cancelMs });
      const rule = { ...RAISE, to: 'next', otherwise };
      const config = fallback(rule, batchAt('anthropic'), batchAt('openai'));
      const { id } = await submit(weir, input, { config, window: '24h' });
      await expect.poll(() => services.created().openai, { timeout: 30_000 }).toBe(1);
      await weir.client.batches.cancel(id);
      await waitForBatch(weir, id, { seconds: 30 });
      const books = await assertInvariants(weir, id, input);
      expect(books.batch.status).toBe('cancelled');
      expect(books.lines.map(({ error }) => error?.code ?? null)).toEqual(half<string | null>(code, null));
      expect(books.lines.map(({ response }) => response?.status_code)).toEqual(half(200, 200));
      expect(books.lines[0]?.weir).toMatchObject({ provider: 'anthropic', attempts: 1, finish_reason: 'length' });
      expect(books.lines[0]?.weir.warnings.join()).toContain('the batch ended before another answer came');
      expect([books.entries.length, isPaid(books)]).toEqual([LINES, true]);
      const used = books.entries.filter(({ status }) => status === 'succeeded' || otherwise === 'accept');
      const output = used.reduce((sum, { usage }) => sum + (usage?.output_tokens ?? 0), 0);
      expect(books.batch.usage?.output_tokens).toBe(output);
    },
    60_000,
  );

  it('is bettered in another provider batch of the same target, where that is all there is', async () => {
    await start();
    const books = await run({ ...batchAt('anthropic'), on_truncation: RAISE });
    expect(shown(books)).toEqual(half('anthropic 2 stop', 'anthropic 1 stop'));
    expect(services.created().anthropic).toBe(2);
    expect([books.entries.length, isPaid(books)]).toEqual([LINES + 2, true]);
  }, 60_000);

  it('is bettered once for batches that ask the same, where answers may be given again', async () => {
    await start();
    const config = { ...batchAt('anthropic'), on_truncation: RAISE, cache: { mode: 'simple' } };
    expect(shown(await run(config))).toEqual(half('anthropic 2 stop', 'anthropic 1 stop'));
    const again = await run(config);
    expect(again.lines.map(({ weir: { finish_reason: end } }) => end)).toEqual(half('stop', 'stop'));
    // An answer that is not taken serves no other line, the one that came after it does.
    const paid = again.entries.filter(({ amount_nano_usd: amount }) => amount !== 0);
    expect(paid.map(({ status }) => status)).toEqual(['superseded', 'superseded']);
    expect(services.created().anthropic).toBe(3);
  }, 60_000);

  it('is bettered at the next target where its own takes no larger limit', async () => {
    await start();
    services.servers.openai.configure({ line_faults: [{ contains: `"max_tokens":${ENOUGH}`, status: 400 }] });
    const books = await run(fallback(RAISE, batchAt('openai'), batchAt('anthropic')));
    expect(shown(books)).toEqual(half('anthropic 3 stop', 'openai 1 stop'));
  }, 60_000);

  it('counts when no other target takes a larger limit', async () => {
    await start();
    services.servers.openai.configure({ line_faults: [{ contains: `"max_tokens":${ENOUGH}`, status: 400 }] });
    const targets = [batchAt('anthropic'), batchAt('openai')];
    const taken = await run(fallback({ ...RAISE, to: 'next', otherwise: 'accept' }, ...targets));
    expect(shown(taken)).toEqual(half('anthropic 2 length', 'anthropic 1 stop'));
    expect(taken.lines[0]?.weir.warnings.join()).toMatch(/on_truncation: .*taken as it is,a retry failed: /);
    const failed = await run(fallback({ ...RAISE, to: 'next' }, ...targets));
    expect(shown(failed)).toEqual(half('anthropic 2 length answer_truncated', 'anthropic 1 stop'));
    expect(failed.errors[0]?.response?.status_code).toBe(200);
    expect([isPaid(taken), isPaid(failed)]).toEqual([true, true]);
  }, 60_000);

  it('counts when its retry as a single request fails', async () => {
    await start();
    services.pool.configure({ fail_after: 0, fail_with: 422 });
    const books = await run(fallback({ ...RAISE, to: 'next', otherwise: 'accept' }, batchAt('anthropic'), pool));
    // With a larger limit, and without.
    expect(shown(books)).toEqual(half('anthropic 3 length', 'anthropic 1 stop'));
    expect(books.entries).toHaveLength(LINES + 4);
  }, 60_000);
});

import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type OpenAI from 'openai';
import { afterEach, describe, expect, it } from 'vitest';
import type { BatchObject, BatchShard } from '../../src/protocol/batch.ts';
import type { OutputLine } from '../../src/protocol/result-line.ts';
import { chatCompletion, embeddingList, shapeOf } from './answer-shapes.ts';
import { cardOf, priceOf } from './independent-price.ts';
import { assertInvariants } from './invariants.ts';
import { embeddingLines, isBase64, isShortened, kindOf, lineKinds, mixedLines, textsOf } from './mixed-lines.ts';
import {
  bedrockClaude,
  chatModels,
  embeddingModels,
  type NativeOptions,
  type NativeServices,
  poolModel,
  poolPrice,
  regions,
  serviceNames,
  startNativeServices,
} from './native-services.ts';
import { realInput, spawnWeir, startWeir, submit, temporaryFolder, type Weir, waitForBatch } from './weir.ts';

const settings = { poll_seconds_min: 1, cancel_seconds: 2 };

/** Per cent of the lines; Bedrock runs two models, for its two forms. */
const shares = [
  { provider: 'openai', model: chatModels.openai, weight: 20 },
  { provider: 'azure', model: chatModels.azure, weight: 15 },
  { provider: 'bedrock', model: chatModels.bedrock, weight: 15 },
  { provider: 'bedrock', model: bedrockClaude, weight: 10 },
  { provider: 'vertex', model: chatModels.vertex, weight: 15 },
  { provider: 'anthropic', model: chatModels.anthropic, weight: 15 },
  { provider: 'pool', model: poolModel, weight: 10 },
];
const everywhere = { strategy: { mode: 'loadbalance' }, targets: shares };

const nothingLeft = Object.fromEntries(serviceNames.map((name) => [name, { live: 0, files: 0 }]));

/** The sum over all answers, at the prices of the services and at the pool’s own. */
function priceOfChat(lines: readonly OutputLine[], mode: 'batch' | 'standard'): bigint {
  return lines.reduce((sum, line) => {
    const { provider, model } = line.weir;
    const card = provider === 'pool' ? poolPrice : cardOf(provider ?? '', model ?? '', mode, regions[provider ?? '']);
    return sum + priceOf(chatCompletion.parse(line.response?.body).usage, card);
  }, 0n);
}

function amountOf(entries: readonly { amount_nano_usd: number | null }[]): bigint {
  return entries.reduce((sum, entry) => sum + BigInt(entry.amount_nano_usd ?? -1), 0n);
}

describe('five batch services', () => {
  let services: NativeServices | undefined;
  const weirs: Pick<Weir, 'stop'>[] = [];

  afterEach(async () => {
    for (const weir of weirs.splice(0)) await weir.stop();
    await services?.stop();
    services = undefined;
  });

  async function open(
    options: NativeOptions = {},
    routes: object = {},
  ): Promise<{ remote: NativeServices; weir: Weir }> {
    const remote = await startNativeServices(options);
    services = remote;
    const weir = await startWeir({ providers: remote.providers, routes, settings });
    weirs.push(weir);
    return { remote, weir };
  }

  it('run 2,000 mixed lines at once, beside a pool, split exactly and accounted for to the nano-dollar', async () => {
    const { remote, weir } = await open({ richUsage: true }, { everywhere });
    const input = mixedLines(2_000);
    const batch = await submit(weir, input, { window: '24h', config: 'everywhere' });
    const ended = await waitForBatch(weir, batch.id, { seconds: 50 });
    const { lines, errors, entries, batch: object } = await assertInvariants(weir, batch.id, input);
    expect(errors).toEqual([]);
    expect(ended.status).toBe('completed');

    for (const { provider, model, weight } of shares) {
      const own = lines.filter((line) => line.weir.provider === provider && line.weir.model === model);
      expect(own, `${provider} ${model}`).toHaveLength(weight * 20);
      const kinds = new Set(own.map((line) => kindOf(line.weir.line - 1)));
      expect([...kinds].toSorted(), `kinds at ${provider} ${model}`).toEqual(lineKinds.toSorted());
    }
    expect(remote.created()).toEqual({ openai: 1, azure: 1, bedrock: 2, vertex: 1, anthropic: 1 });
    expect(remote.pool.counters.received).toBe(200);
    const shards = (object.shards ?? []) as BatchShard[];
    expect(shards.map(({ provider, state }) => `${provider} ${state}`).toSorted()).toEqual([
      'anthropic done',
      'azure done',
      'bedrock done',
      'bedrock done',
      'openai done',
      'vertex done',
    ]);

    expect(entries).toHaveLength(2_000);
    expect(entries.every((entry) => entry.mode === (entry.provider === 'pool' ? 'immediate' : 'batch'))).toBe(true);
    expect(entries.every((entry) => !entry.estimated)).toBe(true);
    expect(amountOf(entries)).toBe(priceOfChat(lines, 'batch'));
    expect(BigInt(object.cost.list_amount_nano_usd)).toBe(priceOfChat(lines, 'standard'));
    const sumOf = (provider: string, bucket: string) =>
      entries.reduce((sum, entry) => sum + (entry.provider === provider ? (entry.usage?.[bucket] ?? 0) : 0), 0);
    // Every answer of Claude read 100 tokens from a cache and wrote 20 for five minutes and 10 for an hour.
    expect(sumOf('anthropic', 'cached_input_tokens')).toBe(300 * 100);
    expect(sumOf('anthropic', 'cache_write_1h_tokens')).toBe(300 * 10);
    expect(sumOf('vertex', 'cached_input_tokens')).toBeGreaterThan(300);
    expect(sumOf('vertex', 'reasoning_tokens')).toBeGreaterThan(300);
    checkAnswers(lines);
    await expect.poll(() => remote.left(), { timeout: 10_000 }).toEqual(nothingLeft);
  }, 90_000);

  it('embed 300 texts at three of them at once', async () => {
    const targets = Object.entries(embeddingModels).map(([provider, model]) => ({ provider, model, weight: 1 }));
    const { remote, weir } = await open({}, { embed: { strategy: { mode: 'loadbalance' }, targets } });
    const input = embeddingLines(300);
    const batch = await submit(weir, input, { window: '24h', config: 'embed', endpoint: '/v1/embeddings' });
    await waitForBatch(weir, batch.id);
    const { lines, errors, entries } = await assertInvariants(weir, batch.id, input);
    expect(errors).toEqual([]);
    let price = 0n;
    for (const { provider, model } of targets) {
      const own = lines.filter((line) => line.weir.provider === provider);
      expect(own).toHaveLength(100);
      for (const line of own) {
        const { usage, data } = embeddingList.parse(line.response?.body);
        price += priceOf(usage, cardOf(provider, model, 'batch', regions[provider]));
        const index = line.weir.line - 1;
        expect(data.map((item) => item.index)).toEqual(textsOf(index).map((_text, position) => position));
        for (const { embedding } of data) {
          expect(typeof embedding).toBe(isBase64(index) ? 'string' : 'object');
          const numbers =
            typeof embedding === 'string' ? Buffer.from(embedding, 'base64').length / 4 : embedding.length;
          if (isShortened(index)) expect(numbers).toBe(256);
        }
      }
    }
    expect(entries).toHaveLength(300);
    expect(entries.every((entry) => entry.mode === 'batch' && !entry.estimated)).toBe(true);
    expect(amountOf(entries)).toBe(price);
    expect(remote.created()).toEqual({ openai: 1, azure: 0, bedrock: 1, vertex: 1, anthropic: 0 });
    await expect.poll(() => remote.left(), { timeout: 10_000 }).toEqual(nothingLeft);
  }, 60_000);

  it('run a real file, each the whole of it, with the same ids and the same shape', async () => {
    const models = { ...chatModels, bedrock: bedrockClaude };
    const routes = Object.fromEntries(
      serviceNames.map((name) => [
        `only-${name}`,
        { strategy: { mode: 'single' }, targets: [{ provider: name, model: models[name] }] },
      ]),
    );
    const { remote, weir } = await open({}, routes);
    const input = await realInput();
    const total = input.trimEnd().split('\n').length;
    const batches = await Promise.all(
      serviceNames.map((name) => submit(weir, input, { window: '24h', config: `only-${name}` })),
    );
    const shapes: string[][] = [];
    for (const [index, { id }] of batches.entries()) {
      const name = serviceNames[index] ?? 'openai';
      const ended = await waitForBatch(weir, id, { seconds: 60 });
      expect(ended.request_counts, name).toEqual({ total, completed: total, failed: 0 });
      const { lines, entries } = await assertInvariants(weir, id, input);
      expect(entries.every((entry) => entry.mode === 'batch' && entry.provider === name)).toBe(true);
      expect(amountOf(entries), name).toBe(priceOfChat(lines, 'batch'));
      shapes.push([...new Set(lines.map(shapeOf))]);
    }
    expect(new Set(shapes.map((shape) => shape.toSorted().join(' | '))), 'one shape').toEqual(
      new Set([shapes[0]?.toSorted().join(' | ')]),
    );
    expect(remote.created()).toEqual({ openai: 1, azure: 1, bedrock: 1, vertex: 1, anthropic: 1 });
    await expect.poll(() => remote.left(), { timeout: 10_000 }).toEqual(nothingLeft);
  }, 120_000);

  it('leave to the ordinary API what Bedrock’s jobs do not serve, at its price', async () => {
    const target = { provider: 'bedrock', model: chatModels.bedrock };
    const { remote, weir } = await open(
      { bedrockTools: false },
      { one: { strategy: { mode: 'single' }, targets: [target] } },
    );
    const input = mixedLines(300);
    const { id } = await submit(weir, input, { window: '24h', config: 'one' });
    await waitForBatch(weir, id);
    const { lines, errors, entries } = await assertInvariants(weir, id, input);
    expect(errors).toEqual([]);
    const isUnfit = ({ weir: { line } }: OutputLine) => ['tools', 'toolResults', 'schema'].includes(kindOf(line - 1));
    const [unfit, fit] = [lines.filter(isUnfit), lines.filter((line) => !isUnfit(line))];
    expect(entries.filter(({ mode }) => mode === 'immediate')).toHaveLength(unfit.length);
    expect(entries.filter(({ mode }) => mode === 'batch')).toHaveLength(fit.length);
    expect(amountOf(entries)).toBe(priceOfChat(fit, 'batch') + priceOfChat(unfit, 'standard'));
    expect(remote.created().bedrock).toBe(1);
    await expect.poll(() => remote.left(), { timeout: 10_000 }).toEqual(nothingLeft);
  }, 60_000);

  /** A Weir that is killed now and then, on 1,000 lines over the five in equal parts. */
  async function openMortal(jobMs?: number) {
    const remote = await startNativeServices(jobMs === undefined ? {} : { jobMs });
    services = remote;
    const folder = await temporaryFolder();
    const targets = serviceNames.map((provider) => ({ provider, model: chatModels[provider], weight: 1 }));
    const routes = { five: { strategy: { mode: 'loadbalance' }, targets } };
    const configPath = join(folder, 'weir.json');
    await writeFile(configPath, JSON.stringify({ providers: remote.providers, routes, settings }));
    const start = () => spawnWeir(configPath, join(folder, 'data'));
    let weir = await start();
    weirs.push({
      async stop() {
        await weir.kill();
        await rm(folder, { recursive: true, force: true });
      },
    });
    const input = mixedLines(1_000);
    const { id } = await submit(weir, input, { window: '24h', config: 'five' });
    return {
      remote,
      waitFor: (until: (batch: OpenAI.Batch) => boolean) => waitForBatch(weir, id, { until }),
      async killAndStart() {
        await weir.kill();
        weir = await start();
      },
      /**
       * One provider batch each, one entry per line, and nothing left behind. A file whose upload was cut off between the
       * provider's answer and its row is the orphan search's to remove (test/services/shards/crash-points.test.ts).
       */
      async assertEnd(orphans: 'none' | 'files' = 'none') {
        const ended = await waitForBatch(weir, id, { seconds: 40 });
        expect(ended.request_counts).toEqual({ total: 1_000, completed: 1_000, failed: 0 });
        const { lines, entries } = await assertInvariants(weir, id, input);
        expect(entries).toHaveLength(1_000);
        expect(amountOf(entries)).toBe(priceOfChat(lines, 'batch'));
        expect(remote.created()).toEqual({ openai: 1, azure: 1, bedrock: 1, vertex: 1, anthropic: 1 });
        const seen = () => (orphans === 'none' ? remote.left() : liveOf(remote.left()));
        await expect.poll(seen, { timeout: 15_000 }).toEqual(orphans === 'none' ? nothingLeft : liveOf(nothingLeft));
      },
    };
  }

  it('are found again by a process that was killed while it polled all five, and once more while it collected', async () => {
    const { remote, waitFor, killAndStart, assertEnd } = await openMortal();
    remote.hold(true);
    await waitFor((batch) => countOf(batch, 'running') === 5);
    await killAndStart();
    remote.hold(false);
    await waitFor((batch) => countOf(batch, 'running') < 5);
    await killAndStart();
    await assertEnd();
  }, 90_000);

  it('each get one batch from a process that is killed at random moments', async () => {
    const { killAndStart, assertEnd } = await openMortal(1_500);
    for (let kill = 0; kill < 6; kill++) {
      await new Promise((wake) => setTimeout(wake, Math.random() * 900));
      await killAndStart();
    }
    await assertEnd('files');
  }, 90_000);
});

/** How many provider batches can still cost money, by service. */
function liveOf(left: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(left).map(([name, held]) => [name, (held as { live: number }).live]));
}

function countOf(batch: unknown, state: string): number {
  return ((batch as BatchObject).shards ?? []).filter((shard) => shard.state === state).length;
}

/** Tools are called, schemas are followed and what was left out is said, wherever a line ran. */
function checkAnswers(lines: readonly OutputLine[]): void {
  for (const line of lines) {
    const { provider, model, warnings } = line.weir;
    const kind = kindOf(line.weir.line - 1);
    const [choice] = chatCompletion.parse(line.response?.body).choices;
    const where = `${kind} at ${provider} ${model}`;
    const isForeign = provider === 'bedrock' || provider === 'vertex' || provider === 'anthropic';
    if (kind === 'tools' && isForeign) {
      expect(choice, where).toMatchObject({
        finish_reason: 'tool_calls',
        message: { tool_calls: [{ function: { name: 'look_up_weather' } }] },
      });
    }
    const users = warnings.filter((warning) => warning.startsWith('user was left out'));
    expect(users.length, where).toBe(kind === 'seed' && (provider === 'bedrock' || provider === 'vertex') ? 1 : 0);
    const dropsSeed = provider === 'bedrock' || provider === 'anthropic';
    const seeds = warnings.filter((warning) => warning.startsWith('seed was left out'));
    expect(seeds.length, `${where}: ${warnings.join('; ')}`).toBe(kind === 'seed' && dropsSeed ? 1 : 0);
  }
}

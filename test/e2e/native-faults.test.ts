import { rm } from 'node:fs/promises';
import { afterEach, describe, expect, it, type TestContext } from 'vitest';
import { type SimulatedBatchServer, startOpenAIBatchServer } from '../../providers/sandbox/servers/openai-batch.ts';
import type { BatchFault } from '../../providers/sandbox/servers/openai-batch-settings.ts';
import type { BatchObject } from '../../src/protocol/batch.ts';
import { assertInvariants } from './invariants.ts';
import { chatLines, startWeir, submit, temporaryFolder, type Weir, waitForBatch } from './weir.ts';

type ServiceOptions = NonNullable<Parameters<typeof startOpenAIBatchServer>[0]>;

const FAST = { poll_seconds_min: 1, cancel_seconds: 2 };
const NOTHING = { live: 0, files: 0 };

function openai(at: SimulatedBatchServer, models = ['gpt-4o-mini']): object {
  return { kind: 'openai', base_url: at.baseUrl, api_key: 'sk-test', models };
}

const LINES = 30;

/** Runs lines on a service to the end, where all must be done, by one provider batch, with nothing left there. */
async function runsWhole({ expect: check }: TestContext, service: ServiceOptions): Promise<void> {
  const remote = await startOpenAIBatchServer(service);
  const weir = await startWeir({ providers: { openai: openai(remote) }, settings: FAST });
  try {
    const input = chatLines(LINES);
    const { id } = await submit(weir, input, { window: '24h' });
    const ended = await waitForBatch(weir, id, { seconds: 50 });
    check(ended.request_counts).toEqual({ total: LINES, completed: LINES, failed: 0 });
    const { entries } = await assertInvariants(weir, id, input);
    check(entries).toHaveLength(LINES);
    check(entries.every(({ mode }) => mode === 'batch')).toBe(true);
    check(remote.counters.batches_created).toBe(1);
    await check.poll(() => remote.held(), { timeout: 15_000 }).toEqual(NOTHING);
  } finally {
    await weir.stop();
    await remote.stop();
  }
}

// Each waits for its polls most of the time, on servers of its own.
describe.concurrent('a native batch whose provider', () => {
  it('loses the answer of a create call that succeeded: the batch is found, not made twice', async (test) => {
    await runsWhole(test, { job_ms: 500, faults: [{ on: 'create', fault: 'lose_answer' }] });
  }, 70_000);

  const polls: BatchFault['fault'][] = [404, 'html', 'empty', 'truncated', 'error_object', 'unknown_status'];
  it.for([...polls, 'backward_status', 'rate_limit', 503] as const)(
    'answers two polls with %s: they are asked again and the batch is done once',
    { timeout: 70_000 },
    async (fault, test) => {
      await runsWhole(test, { job_ms: 500, faults: [{ on: 'poll', fault, times: 2 }] });
    },
  );

  it.for(['cut', 'shorten', 'html', 'empty', 'change', 'gzip', 500] as const)(
    'answers a download with %s: every line is delivered and entered once',
    { timeout: 70_000 },
    async (fault, test) => {
      await runsWhole(test, { ranges: false, faults: [{ on: 'content', fault, times: 1 }] });
    },
  );
});

describe('a native batch whose provider misbehaves', () => {
  const services: SimulatedBatchServer[] = [];
  const weirs: Weir[] = [];
  const folders: string[] = [];

  afterEach(async () => {
    await Promise.all(weirs.splice(0).map((weir) => weir.stop()));
    await Promise.all(services.splice(0).map((service) => service.stop()));
    for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
  });

  async function service(options: ServiceOptions = {}): Promise<SimulatedBatchServer> {
    const started = await startOpenAIBatchServer(options);
    services.push(started);
    return started;
  }

  async function weirOn(providers: Record<string, object>, options: { folder?: string } = {}): Promise<Weir> {
    const weir = await startWeir({ providers, settings: FAST }, options);
    weirs.push(weir);
    return weir;
  }

  it('refuses every create call after it took the file: no file stays there', async () => {
    const remote = await service({ faults: [{ on: 'create', fault: 403, times: null }] });
    const weir = await weirOn({ openai: openai(remote) });
    const input = chatLines(10);
    const { id } = await submit(weir, input, { window: '24h' });
    await waitForBatch(weir, id, { until: (b) => (b as unknown as BatchObject).shards?.[0]?.error != null });
    await expect.poll(() => remote.held(), { timeout: 15_000 }).toEqual(NOTHING);
    remote.configure({ faults: [] });
    const ended = await waitForBatch(weir, id, { seconds: 50 });
    expect(ended.request_counts).toEqual({ total: 10, completed: 10, failed: 0 });
    await assertInvariants(weir, id, input);
    await expect.poll(() => remote.held(), { timeout: 15_000 }).toEqual(NOTHING);
  }, 80_000);

  it('has no room for another file: the batch waits for it and does not fail', async () => {
    const remote = await service({ flavour: 'openai', max_files: 0 });
    const weir = await weirOn({ openai: openai(remote) });
    const input = chatLines(10);
    const { id } = await submit(weir, input, { window: '24h' });
    await waitForBatch(weir, id, { until: (b) => (b as unknown as BatchObject).shards?.[0]?.error != null });
    remote.configure({ max_files: null });
    const ended = await waitForBatch(weir, id, { seconds: 60 });
    expect(ended.request_counts).toEqual({ total: 10, completed: 10, failed: 0 });
    await assertInvariants(weir, id, input);
  }, 80_000);

  it('refuses all polls: batches of the other provider are not delayed', async () => {
    const poisoned = await service({ faults: [{ on: 'poll', fault: 500, times: null }] });
    const healthy = await service();
    const weir = await weirOn({ bad: openai(poisoned, ['bad-model']), good: openai(healthy) });
    const stuck = chatLines(20).replaceAll('gpt-4o-mini', 'bad-model');
    const first = await submit(weir, stuck, { window: '24h' });
    await waitForBatch(weir, first.id, { until: () => poisoned.counters.batches_created === 1 });
    const input = chatLines(20);
    const second = await submit(weir, input, { window: '24h' });
    const ended = await waitForBatch(weir, second.id, { seconds: 15 });
    expect(ended.request_counts).toEqual({ total: 20, completed: 20, failed: 0 });
    await assertInvariants(weir, second.id, input);
    expect((await weir.client.batches.retrieve(first.id)).status).toBe('in_progress');
  }, 50_000);

  it('is shared by two servers on one database: one provider batch, each line entered once', async () => {
    const folder = await temporaryFolder();
    folders.push(folder);
    const remote = await service({ job_ms: 3_000 });
    const first = await weirOn({ openai: openai(remote) }, { folder });
    const input = chatLines(100);
    const { id } = await submit(first, input, { window: '24h' });
    await waitForBatch(first, id, { until: () => remote.counters.batches_created === 1 });
    // Its start takes the leases over while their owner still works.
    const second = await weirOn({ openai: openai(remote) }, { folder });
    const ended = await waitForBatch(second, id, { seconds: 50 });
    expect(ended.request_counts).toEqual({ total: 100, completed: 100, failed: 0 });
    const { entries } = await assertInvariants(second, id, input);
    expect(entries).toHaveLength(100);
    expect(remote.counters.batches_created).toBe(1);
    await expect.poll(() => remote.held(), { timeout: 15_000 }).toEqual(NOTHING);
  }, 80_000);
});

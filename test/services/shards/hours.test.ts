/** Provider batches and the hours of their targets: the clock is moved on in place of the wait. */
import { rm } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type SimulatedBatchServer, startOpenAIBatchServer } from '../../../providers/sandbox/servers/openai-batch.ts';
import { presentShards } from '../../../src/services/shards/present.ts';
import { chatLines, temporaryFolder } from '../../e2e/weir.ts';
import { beginBatch, entriesOf, isSettled, openRig, type Rig, workUntil } from './rig.ts';

const MODEL = 'gpt-4o-mini';
const HOUR = 3_600;

/** An hour that begins after so many, by the machine's clock, rounded up to the hour. */
function opensIn(hours: number): { schedule: object; at: number } {
  const first = Math.ceil(Date.now() / 1000 / HOUR) + hours;
  const time = (hour: number) => `${String(hour % 24).padStart(2, '0')}:00`;
  const days = [new Date(first * HOUR * 1000).toLocaleDateString('en-US', { weekday: 'short', timeZone: 'UTC' })];
  const window = { days: days.map((day) => day.toLowerCase()), from: time(first), to: time(first + 1) };
  return { schedule: { windows: [{ ...window, to: window.to === '00:00' ? '24:00' : window.to }] }, at: first * HOUR };
}

describe('a provider batch and the hours of its target', () => {
  let folder: string;
  let rigs = 0;
  let remotes: SimulatedBatchServer[] = [];
  let rig: Rig | undefined;
  beforeAll(async () => {
    folder = await temporaryFolder();
  });
  afterEach(async () => {
    await rig?.close();
    await Promise.all(remotes.map((remote) => remote.stop()));
    remotes = [];
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** Weir on two services; the first has hours as provider (`provider`) or as target. */
  async function open(schedule: object, { as = 'target' }: { as?: 'target' | 'provider' } = {}): Promise<Rig> {
    remotes = await Promise.all([startOpenAIBatchServer(), startOpenAIBatchServer()]);
    const at = (index: number, more: object = {}) => ({
      kind: 'openai',
      base_url: remotes[index]?.baseUrl,
      api_key: 'sk-test',
      models: [MODEL],
      ...more,
    });
    const nightly = {
      provider: 'night',
      model: MODEL,
      mode: 'batch',
      ...(as === 'target' && { schedule }),
    };
    const other = { provider: 'other', model: MODEL, mode: 'batch' };
    rig = await openRig(`${folder}/${rigs++}`, {
      providers: { night: at(0, as === 'provider' ? { schedule } : {}), other: at(1) },
      routes: {
        only: { strategy: { mode: 'single' }, targets: [nightly] },
        either: { strategy: { mode: 'fallback' }, targets: [nightly, other] },
      },
      settings: { poll_seconds_min: 1 },
    });
    return rig;
  }

  const created = () => remotes.map(({ counters }) => counters.batches_created);
  const alertsOf = async (of: Rig, id: string) =>
    (await presentShards(of.deps, id, false)).map(({ state, alert }) => [state, alert?.code ?? null]);

  it.each(['target', 'provider'] as const)('waits for the hours of its %s, and says until when', async (as) => {
    const { schedule, at } = opensIn(5);
    const own = await open(schedule, { as });
    const id = await beginBatch(own.deps, chatLines(20), { config: 'only' });
    expect(await workUntil(own.deps, () => created()[0] === 1, { rounds: 5, between: () => own.advance(600) })).toBe(
      false,
    );
    const [shard] = await presentShards(own.deps, id, false);
    expect(shard).toMatchObject({ state: 'pending', next_at: at, alert: { code: 'outside_hours' } });
    expect(shard?.alert?.message).toContain(new Date(at * 1000).toISOString());
    const settled = await workUntil(own.deps, () => isSettled(own.deps, id), {
      rounds: 90,
      between: () => own.advance(300),
    });
    expect(settled).toBe(true);
    const [done] = await presentShards(own.deps, id, false);
    expect(done?.submitted_at).toBeGreaterThanOrEqual(at);
    expect(done?.submitted_at).toBeLessThan(at + HOUR);
    expect(done?.alert).toBeNull();
    expect(created()).toEqual([1, 0]);
  });

  it('goes to the next target when they begin too late for its window', async () => {
    const own = await open(opensIn(5).schedule);
    const id = await beginBatch(own.deps, chatLines(20), { config: 'either', completion_window: '4h' });
    expect(await workUntil(own.deps, () => isSettled(own.deps, id), { between: () => own.advance(30) })).toBe(true);
    expect(created()).toEqual([0, 1]);
    expect(await alertsOf(own, id)).toEqual([
      ['done', 'outside_hours'],
      ['done', null],
    ]);
    expect(await entriesOf(own.deps, id)).toHaveLength(20);
  });

  it('is submitted outside them when there is no other target and its window would be missed', async () => {
    const own = await open(opensIn(5).schedule);
    const id = await beginBatch(own.deps, chatLines(20), { config: 'only', completion_window: '4h' });
    let seen: unknown = null;
    const watch = async (): Promise<boolean> => {
      const alerts = await alertsOf(own, id);
      if (alerts[0]?.[0] === 'running') seen = alerts;
      return isSettled(own.deps, id);
    };
    expect(await workUntil(own.deps, watch, { between: () => own.advance(30) })).toBe(true);
    expect(seen).toEqual([['running', 'outside_hours']]);
    expect(created()).toEqual([1, 0]);
  });

  it('within them goes at once', async () => {
    const own = await open({ windows: [{ from: '00:00', to: '24:00' }] });
    const id = await beginBatch(own.deps, chatLines(20), { config: 'either' });
    expect(await workUntil(own.deps, () => created()[0] === 1, { rounds: 3 })).toBe(true);
    expect((await alertsOf(own, id))[0]?.[1]).toBeNull();
  });
});

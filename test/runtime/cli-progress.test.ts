import { describe, expect, it } from 'vitest';
import { layTargets } from '../../src/runtime/cli/demo/show.ts';
import { sharesOf } from '../../src/runtime/cli/demo/split.ts';
import { layStanding } from '../../src/runtime/cli/eval/standing.ts';
import { Meter } from '../../src/runtime/cli/meter.ts';
import { PLAIN } from '../../src/runtime/cli/paint.ts';
import { columnsOf } from '../../src/runtime/cli/printable.ts';
import { layBar, layProgress, RateMeter, type Standing, sayProgress } from '../../src/runtime/cli/progress.ts';
import { recordTerminal } from './cli-terminal.ts';

const standing: Standing = { total: 1319, completed: 687, failed: 3, costNano: 12_300_000, unpriced: 0, state: null };

describe('the progress of a target of an eval', () => {
  it('says what it cost, and of what has no price that nobody knows', () => {
    const target = { name: 'a/m', state: 'sampling', done: 3, total: 12 };
    const told = (nano: number, unpriced: number) =>
      layStanding({ ...target, cost: { nano, unpriced } }, 79, PLAIN)
        .split('  ')
        .at(-1);
    expect([told(12_300_000, 0), told(12_300_000, 2), told(9_000, 0), told(0, 2), told(0, 0)]).toEqual([
      '$0.0123',
      '$0.0123*',
      '<$0.0001',
      'cost unknown',
      '$0.0000',
    ]);
    expect(layStanding({ ...target, cost: { nano: 1, unpriced: 0 } }, 50, PLAIN)).toHaveLength(50);
  });
});

describe('the progress of a batch', () => {
  it('is one line with done, share, rate, cost, time left and failures', () => {
    const line = layProgress(standing, 112, 79, PLAIN);
    expect(line).toMatch(/^█+.?░+ {2}690\/1,319 {2}52 % {2}112\/s {2}\$0\.0123 {2}6 s left {2}3 failed$/);
  });

  it('fits every width, down to the counts alone', () => {
    for (let width = 9; width <= 200; width += 1) {
      const line = layProgress({ ...standing, unpriced: 12 }, 112, width, PLAIN);
      expect(columnsOf(line)).toBeLessThanOrEqual(width);
      expect(line).toContain('690/1,319');
    }
  });

  it('says what it waits for in place of a time', () => {
    expect(layProgress({ ...standing, state: 'paused' }, null, 79, PLAIN)).toMatch(/\$0\.0123 {2}paused {2}3 failed$/);
    expect(layProgress({ ...standing, total: 0, state: 'checking the file' }, null, 79, PLAIN)).toBe(
      'checking the file',
    );
  });

  it('is a sentence where nothing can be redrawn', () => {
    expect(sayProgress(standing, 112)).toBe('690/1,319 done (52 %), 3 failed, 112/s, $0.0123 so far, 6 s left');
    expect(sayProgress({ ...standing, failed: 0, costNano: 0, unpriced: 5 }, null)).toContain(', 5 unpriced so far');
    expect(sayProgress({ ...standing, failed: 0, unpriced: 5 }, null)).toBe(
      '687/1,319 done (52 %), $0.0123 + 5 unpriced so far',
    );
  });

  it('has a bar of the same width at every fraction', () => {
    for (let step = -1; step <= 101; step += 1) expect(columnsOf(layBar(step / 100, 13, PLAIN))).toBe(13);
    expect(layBar(0, 4, PLAIN)).toBe('░░░░');
    expect(layBar(1, 4, PLAIN)).toBe('████');
  });

  it('shows what each target got of what its weight promises', () => {
    const route = {
      id: 'route_1',
      object: 'route' as const,
      name: 'demo',
      source: 'config' as const,
      created_at: 0,
      updated_at: 0,
      config: {
        targets: [
          { provider: 'a', model: 'm', weight: 40 },
          { provider: 'b', model: 'm', weight: 60 },
        ],
      },
    };
    const account = {
      target: 'b/m',
      lines: 12,
      attempts: 14,
      wasted: 2,
      inputTokens: 0,
      outputTokens: 0,
      nano: 5,
      unpriced: 0,
    };
    const shares = sharesOf(route, [account], 100);
    expect(shares).toMatchObject([
      { target: 'a/m', wanted: 40, got: 0 },
      { target: 'b/m', wanted: 60, got: 12 },
    ]);
    for (const line of layTargets(shares, 79, PLAIN)) expect(columnsOf(line)).toBeLessThanOrEqual(79);
    expect(layTargets(shares, 79, PLAIN)[1]).toMatch(/12\/60.*↻ 2$/);
  });
});

describe('the rate', () => {
  it('looks at the last seconds only', () => {
    const rate = new RateMeter(10_000);
    expect(rate.perSecond).toBeNull();
    rate.add(0, 0);
    expect(rate.perSecond).toBeNull();
    for (let second = 1; second <= 10; second += 1) rate.add(second * 1000, second * 1000);
    expect(rate.perSecond).toBe(1000);
    for (let second = 11; second <= 40; second += 1) rate.add(10_000 + (second - 10), second * 1000);
    expect(rate.perSecond).toBe(1);
  });

  it('keeps its word between the lines of a slow batch', () => {
    const rate = new RateMeter(10_000);
    rate.add(0, 0);
    rate.add(6, 60_000);
    expect(rate.perSecond).toBe(0.1);
  });
});

describe('the meter', () => {
  it('redraws in place on a terminal, and leaves nothing behind', async () => {
    const terminal = recordTerminal({ isTty: true });
    const meter = new Meter(terminal);
    await meter.show(
      () => ['one', 'two'],
      () => 'unused',
    );
    await meter.show(
      () => ['three', 'four'],
      () => 'unused',
    );
    await meter.clear();
    expect(terminal.notesText).toBe('\x1b[2Kone\n\x1b[2Ktwo\n\x1b[2A\r\x1b[2Kthree\n\x1b[2Kfour\n\x1b[2A\r\x1b[J');
  });

  it('writes a sentence now and then elsewhere, and none for what ends at once', async () => {
    const terminal = recordTerminal();
    let now = 0;
    terminal.now = () => now;
    const meter = new Meter(terminal, 5_000);
    for (now = 0; now <= 12_000; now += 1_000)
      await meter.show(
        () => ['unused'],
        () => `at ${now}`,
      );
    await meter.clear();
    expect(terminal.notesText).toBe('at 5000\nat 10000\n');
  });
});

import { describe, expect, it } from 'vitest';
import { OutageWatch, type Troubles } from '../../src/core/outage.ts';

const MAX_MS = 15 * 60_000;
const MINUTE = 60_000;

describe('an outage', () => {
  /** A line that meets trouble every `everyMs`, from `from` on; when it was told that this is none of an outage. */
  function failsAfter(
    watch: OutageWatch,
    everyMs: number,
    between: (nowMs: number) => void = () => undefined,
    from = 0,
  ) {
    let troubles: Troubles | null = null;
    for (let now = from; ; now += everyMs) {
      if (!watch.isOut(now, troubles, null)) return now - from;
      troubles = { since: from, at: now };
      between(now + everyMs / 2);
      if (now - from > MAX_MS) throw new Error('it never ends');
    }
  }

  const others = (watch: OutageWatch, count: number, nowMs = 0): void => {
    for (let line = 0; line < count; line++) expect(watch.isOut(nowMs, null, null)).toBe(true);
  };

  it('is none for a line if others are served between its failures', () => {
    const watch = new OutageWatch(MAX_MS);
    watch.served(0);
    expect(failsAfter(watch, 2_000, (now) => watch.served(now))).toBe(2_000);
    expect(watch.since).not.toBeNull();
  });

  it('is believed for two minutes where nothing else is there to tell, from the line’s own first failure on', () => {
    const watch = new OutageWatch(MAX_MS);
    watch.served(0);
    expect(failsAfter(watch, 10_000)).toBe(2 * MINUTE);
    expect(failsAfter(watch, 10_000, undefined, 5 * MINUTE)).toBe(2 * MINUTE);
  });

  it('is one where many lines fail and none is served, for as long as lines wait at most', () => {
    const watch = new OutageWatch(MAX_MS);
    others(watch, 7);
    expect(failsAfter(watch, 10_000)).toBe(MAX_MS);
  });

  it('begins anew after an answer: the lines before it count no more', () => {
    const watch = new OutageWatch(MAX_MS);
    others(watch, 20);
    watch.served(1_000);
    expect(watch.since).toBeNull();
    expect(failsAfter(watch, 10_000, undefined, MINUTE)).toBe(2 * MINUTE);
  });

  it('is none once the server says that it is well, unless many lines tell otherwise, and those for five minutes', () => {
    const watch = new OutageWatch(MAX_MS);
    const isWell = () => true;
    expect(watch.isOut(0, null, () => false)).toBe(true);
    expect(watch.isOut(0, null, isWell)).toBe(false);
    for (let line = 2; line < 7; line++) expect(watch.isOut(0, null, isWell)).toBe(false);
    // A line that failed before is no further one.
    expect(watch.isOut(1, { since: 0, at: 0 }, isWell)).toBe(false);
    expect(watch.isOut(1, null, isWell)).toBe(true);
    expect(watch.isOut(5 * MINUTE, { since: 0, at: 1 }, isWell)).toBe(false);
  });
});

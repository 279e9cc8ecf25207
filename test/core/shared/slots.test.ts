import { describe, expect, it } from 'vitest';
import { Regions } from '../../../src/core/shared/regions.ts';
import { Slots } from '../../../src/core/shared/slots.ts';

const LIMIT = 8;

/** The slots of one provider as each of `count` engines sees them, and whom they woke. */
function seats(count: number) {
  const memory = Regions.allocate();
  const woken: number[] = [];
  const slots = Array.from({ length: count }, (_, own) => {
    const region = new Regions(memory).get('slots pool');
    return new Slots(region, { own, count, wake: (seat) => woken.push(seat) });
  });
  const fill = (seat: number): number => {
    let taken = 0;
    while (slots[seat]?.take(LIMIT, false)) taken += 1;
    return taken;
  };
  return { slots: slots as [Slots, Slots, Slots], woken, fill };
}

describe('slots of several engines', () => {
  it('are held to the limit in sum, and one engine has them all where no other wants any', () => {
    const { slots, fill } = seats(3);
    expect(fill(1)).toBe(LIMIT);
    expect(fill(2)).toBe(0);
    expect(slots[0].total).toBe(LIMIT);
  });

  it('go over to an engine that has less than its part, which is woken for each', () => {
    const { slots, woken, fill } = seats(3);
    fill(1);
    fill(2);
    for (let count = 0; count < LIMIT; count++) {
      slots[1].giveBack();
      slots[1].take(LIMIT, false);
      slots[1].passOn(LIMIT);
      fill(2);
    }
    expect([slots[1].own, slots[2].own]).toEqual([LIMIT / 2, LIMIT / 2]);
    expect(woken).toEqual(Array.from({ length: LIMIT / 2 }, () => 2));
    // Both want more now: each keeps its own.
    slots[1].giveBack();
    expect(slots[2].take(LIMIT, false)).toBe(false);
    expect(slots[1].take(LIMIT, false)).toBe(true);
  });

  it('are left to calls of another engine, whatever part it has', () => {
    const { slots, woken, fill } = seats(2);
    fill(1);
    slots[0].noteCalls(1, 5_000);
    expect(slots[0].take(LIMIT, true)).toBe(false);
    slots[1].giveBack();
    expect(slots[1].take(LIMIT, false)).toBe(false);
    slots[1].passOn(LIMIT);
    expect(woken).toEqual([0]);
    expect(slots[0].take(LIMIT, true)).toBe(true);
    expect(slots[1].calledAt).toBe(5_000);
    // A call that was given up, of which nobody told yet.
    slots[0].wantNone();
    slots[1].giveBack();
    slots[1].passOn(LIMIT);
    expect(woken).toEqual([0, 0]);
    slots[0].noteCalls(0, null);
    expect(slots[1].take(LIMIT, false)).toBe(true);
  });

  it('of an engine that is no more are free, and nothing is left to it', () => {
    const { slots, fill } = seats(3);
    fill(1);
    fill(2);
    slots[0].vacate(1);
    slots[0].vacate(1);
    expect(slots[0].total).toBe(0);
    expect(fill(2)).toBe(LIMIT);
    slots[0].vacate(2);
    expect(fill(1)).toBe(LIMIT);
  });
});

describe('regions', () => {
  it('are the same under one name and others under another, in whatever order they are asked for', () => {
    const memory = Regions.allocate();
    const key = new Uint8Array(8).fill(7);
    const [one, two] = [new Regions(memory, key), new Regions(memory, key)];
    const names = Array.from({ length: 500 }, (_, index) => `name ${index}`);
    for (const [index, name] of names.entries()) one.get(name).floats[3] = index + 1;
    expect(names.toReversed().map((name) => two.get(name).floats[3])).toEqual(names.map((_, index) => 500 - index));
    expect(two.get('another').floats[3]).toBe(0);
    expect(new Regions().get('name 1').floats[3]).toBe(0);
  });
});

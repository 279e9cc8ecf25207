import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FairShare, QUANTUM_TOKENS } from '../../src/core/fair-share.ts';

/** `count` times the same. */
const repeated = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

/** Lines of one batch, by their tokens, in the order they are sent. */
interface Flow {
  tenant: string;
  name: string;
  weight: number;
  lines: number[];
}

function flow(tenant: string, name: string, lines: number[], weight = 1): Flow {
  return { tenant, name, weight, lines };
}

/** Sends lines until none is left (or `most` were), and answers whose they were. */
function send(flows: Flow[], most = Number.POSITIVE_INFINITY): { flow: Flow; tokens: number }[] {
  const share = new FairShare<Flow>((item) => item.lines[0] ?? null);
  for (const item of flows) share.add([{ key: item.tenant }, { key: item.name, weight: () => item.weight }], item);
  const sent: { flow: Flow; tokens: number }[] = [];
  for (let item = share.next(); item && sent.length < most; item = share.next()) {
    sent.push({ flow: item, tokens: item.lines.shift()! });
    if (item.lines.length === 0) share.remove(item);
  }
  return sent;
}

const tokensOf = (sent: { flow: Flow; tokens: number }[], of: (flow: Flow) => boolean) =>
  sent.reduce((sum, { flow: from, tokens }) => sum + (of(from) ? tokens : 0), 0);

describe('FairShare', () => {
  it('ends a batch of 100 lines early beside one of a million, of another tenant or of the same', () => {
    for (const tenant of ['a', 'b']) {
      const large = flow('a', 'large', repeated(1_000_000, 150));
      const small = flow(tenant, 'small', repeated(100, 150));
      const sent = send([large, small], 1_000);
      const last = sent.findLastIndex(({ flow: from }) => from === small);
      expect(small.lines).toEqual([]);
      expect(last).toBeLessThan(220);
    }
  });

  it('divides tokens, not lines, and among tenants before batches', () => {
    const one = flow('a', 'long lines', repeated(5_000, 2_000));
    const two = flow('a', 'short lines', repeated(50_000, 100));
    const three = flow('b', 'middling', repeated(50_000, 500));
    const sent = send([one, two, three], 5_000);
    const all = tokensOf(sent, () => true);
    expect(tokensOf(sent, ({ tenant }) => tenant === 'b') / all).toBeCloseTo(1 / 2, 1);
    expect(tokensOf(sent, (from) => from === one) / all).toBeCloseTo(1 / 4, 1);
  });

  it('divides by weight', () => {
    const heavy = flow('a', 'heavy', repeated(10_000, 300), 4);
    const light = flow('a', 'light', repeated(10_000, 300), 1);
    const sent = send([heavy, light], 5_000);
    expect(tokensOf(sent, (from) => from === heavy) / tokensOf(sent, () => true)).toBeCloseTo(0.8, 2);
  });

  it('lets 30 small lines pass one that is a hundred times larger than all of them', () => {
    const large = flow('a', 'large', [300_000]);
    const small = flow('b', 'small', repeated(30, 100));
    expect(send([large, small]).at(-1)?.flow).toBe(large);
  });

  it('saves nothing up for who has nothing to send', () => {
    let awake = false;
    const sleeper = flow('a', 'sleeper', repeated(2_000, 100));
    const worker = flow('b', 'worker', repeated(2_000, 100));
    const share = new FairShare<Flow>((item) => (item === sleeper && !awake ? null : (item.lines[0] ?? null)));
    for (const item of [sleeper, worker]) share.add([{ key: item.tenant }, { key: item.name }], item);
    const sendOne = () => {
      const item = share.next()!;
      item.lines.shift();
      return item;
    };
    for (let count = 0; count < 1_000; count++) expect(sendOne()).toBe(worker);
    awake = true;
    const next = Array.from({ length: 200 }, sendOne);
    const share200 = next.filter((item) => item === sleeper).length;
    expect(share200).toBeGreaterThan(85);
    expect(share200).toBeLessThan(115);
  });

  it('pays for a large line where small ones use up what a limit lets through as it comes back', () => {
    const large = flow('a', 'large', [20_000]);
    const small = flow('a', 'small', repeated(10_000, 100));
    const other = flow('a', 'other', repeated(10_000, 100));
    let held = false;
    const share = new FairShare<Flow>((item) =>
      held && item !== other ? Number.POSITIVE_INFINITY : (item.lines[0] ?? null),
    );
    for (const item of [small, large, other]) share.add([{ key: item.tenant }, { key: item.name }], item);
    const sent: Flow[] = [];
    const send = (): void => {
      const item = share.next();
      if (item === undefined) return;
      item.lines.shift();
      sent.push(item);
      if (item.lines.length === 0) share.remove(item);
    };
    for (let turn = 0; turn < 5_000 && large.lines.length > 0; turn++) {
      held = turn % 3 > 0;
      send();
    }
    const count = (of: Flow) => sent.filter((item) => item === of).length;
    expect(count(large)).toBe(1);
    // As many tokens of small lines as it has itself, and a turn.
    expect(count(small) * 100).toBeLessThan(20_000 + 2 * QUANTUM_TOKENS);
    expect(count(small) * 100).toBeGreaterThan(20_000 - 2 * QUANTUM_TOKENS);
  });

  it('keeps every backlogged tenant within a turn and a line of its share, whatever the lines, and sends all of them', () => {
    const lines = fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1, maxLength: 60 });
    const flows = fc.array(fc.record({ tenant: fc.constantFrom('a', 'b', 'c'), lines }), {
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(flows, (drawn) => {
        const all = drawn.map((each, index) => flow(each.tenant, `batch-${index}`, [...each.lines]));
        const total = all.reduce((sum, { lines: own }) => sum + own.length, 0);
        const longest = Math.max(...all.flatMap(({ lines: own }) => own));
        const left = new Map<string, number>();
        for (const { tenant, lines: own } of all) left.set(tenant, (left.get(tenant) ?? 0) + own.length);
        const sent = send(all);
        expect(sent).toHaveLength(total);
        const tokens = new Map([...left.keys()].map((tenant) => [tenant, 0]));
        for (const each of sent) {
          if ([...left.values()].includes(0)) break;
          tokens.set(each.flow.tenant, tokens.get(each.flow.tenant)! + each.tokens);
          left.set(each.flow.tenant, left.get(each.flow.tenant)! - 1);
          const apart = Math.max(...tokens.values()) - Math.min(...tokens.values());
          expect(apart).toBeLessThanOrEqual(2 * (QUANTUM_TOKENS + longest));
        }
      }),
    );
  });

  it('goes on with the others when one leaves in its turn', () => {
    const items = ['a', 'b', 'c'].map((tenant) => flow(tenant, tenant, [10, 10]));
    const share = new FairShare<Flow>((item) => item.lines[0] ?? null);
    for (const item of items) share.add([{ key: item.tenant }, { key: item.name }], item);
    const first = share.next()!;
    share.remove(first);
    share.remove(first);
    const others = new Set([share.next()]);
    share.remove([...others][0]!);
    others.add(share.next());
    expect(others.has(first)).toBe(false);
    expect(others.size).toBe(2);
    share.remove([...others][1]!);
    expect(share.next()).toBeUndefined();
  });
});

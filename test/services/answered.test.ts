import { describe, expect, it } from 'vitest';
import type { Gate } from '../../src/ports/gates.ts';
import { Answered } from '../../src/services/segments/answered.ts';

/** What happened, in its order, and what is to be called after the turn. */
function recorded() {
  const events: string[] = [];
  const turns: (() => void)[] = [];
  const gate = (name: string): Gate => ({ pump: () => events.push(`${name} sends`) }) as unknown as Gate;
  return { events, turns, gate };
}

describe('lines that are answered', () => {
  it('end after the next requests are sent, and their gates look again once', () => {
    const { events, turns, gate } = recorded();
    const answered = new Answered({ afterTurn: (run) => turns.push(run) });
    const [a, b] = [gate('a'), gate('b')];
    answered.add(a, () => events.push('1 ends'));
    answered.add(a, () => events.push('2 ends'));
    answered.add(b, () => events.push('3 ends'));
    expect(events).toEqual(['a sends', 'a sends', 'b sends']);
    expect(answered.count).toBe(3);
    expect(turns).toHaveLength(1);

    turns[0]?.();
    expect(events.slice(3)).toEqual(['1 ends', '2 ends', '3 ends', 'a sends', 'b sends']);
    expect(answered.count).toBe(0);
  });

  it('that come by the end of another one end after a turn of their own', () => {
    const { events, turns, gate } = recorded();
    const answered = new Answered({ afterTurn: (run) => turns.push(run) });
    answered.add(gate('a'), () => answered.add(gate('b'), () => events.push('2 ends')));
    turns[0]?.();
    expect(answered.count).toBe(1);
    expect(events).not.toContain('2 ends');
    turns[1]?.();
    expect(events).toContain('2 ends');
  });

  it('end at once where there are no turns', () => {
    const { events, gate } = recorded();
    new Answered({}).add(gate('a'), () => events.push('1 ends'));
    expect(events).toEqual(['a sends', '1 ends', 'a sends']);
  });
});

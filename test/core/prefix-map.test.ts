import { describe, expect, it } from 'vitest';
import { PrefixMap, prefixKeys, promptStart } from '../../src/core/prefix-map.ts';

const text = (seed: string, length: number) => seed.repeat(Math.ceil(length / seed.length)).slice(0, length);

describe('shared beginnings of prompts', () => {
  it('have equal keys up to where they part, by whole blocks', () => {
    const shared = text('the same ', 1_000);
    const one = prefixKeys(shared + text('one', 600));
    const other = prefixKeys(shared + text('other', 600));
    expect(one).toHaveLength(6);
    expect(one.slice(0, 3)).toEqual(other.slice(0, 3));
    expect(one[3]).not.toBe(other[3]);
    // The same block after another beginning is another block.
    expect(prefixKeys(text('x', 256) + shared)[1]).not.toBe(prefixKeys(shared)[0]);
    expect(prefixKeys(text('long', 1e6))).toHaveLength(16);
  });

  it('go where the longest of them was read last', () => {
    const map = new PrefixMap();
    const system = text('system ', 512);
    const first = prefixKeys(system + text('first', 512));
    const second = prefixKeys(system + text('second', 512));
    map.note(first, 0);
    map.note(second, 1);
    expect(map.find(first)).toBe(0);
    expect(map.find(second)).toBe(1);
    expect(map.find(prefixKeys(system + text('third', 512)))).toBe(1);
    expect(map.find(prefixKeys(text('unknown', 512)))).toBe(-1);
    expect(map.find([])).toBe(-1);
  });

  it('are forgotten, the oldest first', () => {
    const map = new PrefixMap();
    for (let key = 0; key < 60_000; key++) map.note([key], 2);
    expect(map.find([0])).toBe(-1);
    expect(map.find([59_999])).toBe(2);
  });

  it('are read from messages, prompts and inputs, and from nothing else', () => {
    expect(promptStart({ messages: [{ role: 'system', content: 'a' }, { content: [{ text: 'b' }] }, null] })).toBe(
      'a\n[{"text":"b"}]',
    );
    expect(promptStart({ prompt: 'a' })).toBe('a');
    expect(promptStart({ instructions: 'a', input: 'b' })).toBe('a\nb');
    expect(promptStart({ input: [{ content: 'c' }] })).toBe('c');
    expect(promptStart({ model: 'm', prompt: [1, 2] })).toBe('');
  });
});

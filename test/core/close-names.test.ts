import { describe, expect, it } from 'vitest';
import { closeNames, suggestion } from '../../src/core/close-names.ts';

describe('names that may have been meant', () => {
  it('are those a few characters away, two that changed places counting as one, nearest first', () => {
    const known = ['format', 'from', 'to', 'provider'];
    expect(closeNames('form', known)).toEqual(['from', 'format']);
    expect(closeNames('porvider', known)).toEqual(['provider']);
    expect(closeNames('PROVIDRE', known)).toEqual(['provider']);
    expect(closeNames('abcd', ['badc', 'dcba', 'abcd-x'])).toEqual(['abcd-x']);
  });

  it('are none where nothing is near', () => {
    expect(closeNames('colour', ['from', 'to'])).toEqual([]);
    expect(suggestion('colour', ['from', 'to'])).toBe('');
    expect(suggestion('form', ['from', 'format'])).toBe(" Did you mean 'from' or 'format'?");
  });
});

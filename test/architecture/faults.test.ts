import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from './source-tree.ts';

/** A known fault of products like this one, and the tests of it (`file :: title`), or why it cannot happen here. */
type Fault = { fault: string } & ({ tests: string[] } | { why: string });

const catalogue = JSON.parse(readFileSync(join(ROOT, 'test/faults/catalogue.json'), 'utf8')) as Record<string, Fault>;

/** Numbered faults of submitting, polling and collecting; those of two gateways, by the numbers of their lists and reports. */
const required: readonly string[] = [
  ...range(15, 47).map(String),
  ...range(1, 43).map((number) => `portkey ${number}`),
  ...[35358, 33316, 37713, 35354, 36640, 33987, 10011, 19680, 38341, 11364].map(ofLiteLLM),
  ...[41753, 41751, 9189, 4966, 5396].map(ofLiteLLM),
  ...[16186, 18734, 33986, 21596, 35639].map(ofLiteLLM),
  ...[14044, 18057, 14452, 35638, 18192, 12332, 40094, 24419].map(ofLiteLLM),
  ...[37050, 36877, 39980, 37457, 37205, 23764, 36181, 36034, 36048, 37539, 37519, 17401, 39810, 27041].map(ofLiteLLM),
  ...[39861, 'docs 1408'].map(ofLiteLLM),
];

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_none, index) => first + index);
}

function ofLiteLLM(report: number | string): string {
  return `litellm ${report}`;
}

/** Whether a test file has a test of exactly this title. */
function hasTest(reference: string): boolean {
  const [file = '', title = ''] = reference.split(' :: ');
  if (title === '' || !existsSync(join(ROOT, file))) return false;
  const text = readFileSync(join(ROOT, file), 'utf8');
  const quoted = title.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  return new RegExp(`\\(\\s*(['"\`])${quoted}\\1,`).test(text);
}

describe('the catalogue of faults', () => {
  it('lacks none of the faults that it must hold', () => {
    expect(required.filter((id) => catalogue[id] === undefined)).toEqual([]);
  });

  it('names for each fault tests that exist, or says in a sentence why it cannot happen', () => {
    const wrong = Object.entries(catalogue).filter(([, entry]) => {
      if (!/^\S.{5,}/.test(entry.fault)) return true;
      return 'tests' in entry
        ? entry.tests.length === 0 || !entry.tests.every(hasTest)
        : !/^[A-Z].{20,}\.$/.test(entry.why);
    });
    expect(wrong).toEqual([]);
  });

  it('knows a test that exists from one that does not', () => {
    const known = 'test/e2e/native-batches.test.ts :: share one batch with a pool, by weight, into one output';
    expect(hasTest(known)).toBe(true);
    expect(hasTest(known.replace('weight', 'chance'))).toBe(false);
    expect(hasTest(known.replace('native-batches', 'no-such'))).toBe(false);
  });
});

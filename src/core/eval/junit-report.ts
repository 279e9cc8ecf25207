import type { EvalComparedItem, EvalComparedOutput } from '../../protocol/eval-compared-item.ts';
import type { EvalTargetFigures } from '../../protocol/eval-comparison.ts';
import { MARKUP_ESCAPES } from './html-text.ts';
import { labelOfItem } from './item-label.ts';

/** What a target had to reach. */
export interface Threshold {
  target: string;
  /** The least pass rate, from 0 to 1. */
  least: number;
}

const TEXT_SHOWN = 2_000;

/**
 * A test suite for each target as JUnit XML, piece by piece: a test case for each item, and one for its threshold.
 * `itemsOf` gives the items of a run in order, as often as it is called.
 */
export async function* junitReport(
  name: string,
  targets: readonly EvalTargetFigures[],
  thresholds: readonly Threshold[],
  itemsOf: () => AsyncIterable<EvalComparedItem>,
): AsyncGenerator<string> {
  yield `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="${xml(name)}">\n`;
  for (const [index, figures] of targets.entries()) {
    const wanted = thresholds.filter(({ target }) => target === figures.target);
    yield suiteStart(figures, wanted);
    for await (const item of itemsOf()) {
      const output = item.outputs[index];
      if (output) yield testCase(figures.target, item, output);
    }
    yield `${wanted.map((threshold) => thresholdCase(figures, threshold)).join('')}  </testsuite>\n`;
  }
  yield '</testsuites>\n';
}

function suiteStart(figures: EvalTargetFigures, wanted: readonly Threshold[]): string {
  const missed = wanted.filter((threshold) => !reaches(figures, threshold)).length;
  const errors = figures.items - figures.graded + (figures.items - figures.answered);
  const failures = figures.items - figures.passed - errors + missed;
  const facts: [string, string | number | null][] = [
    ['pass_rate', figures.pass_rate.value],
    ['cost_usd', figures.cost.amount_usd],
    ['cost_per_accepted_usd', figures.cost.per_accepted_usd],
  ];
  const properties = facts
    .filter(([, value]) => value !== null)
    .map(([key, value]) => `      <property name="${key}" value="${xml(String(value))}"/>\n`)
    .join('');
  return (
    `  <testsuite name="${xml(figures.target)}" tests="${figures.items + wanted.length}" failures="${failures}" errors="${errors}">\n` +
    `    <properties>\n${properties}    </properties>\n`
  );
}

function testCase(target: string, item: EvalComparedItem, output: EvalComparedOutput): string {
  const time = output.latency_ms === null ? '' : ` time="${(output.latency_ms / 1000).toFixed(3)}"`;
  const head = `    <testcase classname="${xml(target)}" name="${xml(labelOfItem(item))}"${time}`;
  if (output.status === 'pass') return `${head}/>\n`;
  return `${head}>\n      ${outcome(output)}\n    </testcase>\n`;
}

function outcome(output: EvalComparedOutput): string {
  const shown = xml((output.text ?? '').slice(0, TEXT_SHOWN));
  if (output.status === 'fail') {
    const missed = output.grades.filter(({ passed }) => !passed);
    return `<failure message="${xml(missed.map(wordsOf).join('; '))}">${shown}</failure>`;
  }
  const failed = output.grades.find(({ error }) => error !== null);
  const why = output.error?.message ?? failed?.error ?? 'The item was not graded.';
  return `<error message="${xml(why)}">${shown}</error>`;
}

function wordsOf({ name, score }: EvalComparedOutput['grades'][number]): string {
  return score === null ? `${name} did not pass` : `${name} did not pass, with a score of ${score}`;
}

/** Whether the target's pass rate is known and as high as that. */
export function reaches(figures: Pick<EvalTargetFigures, 'pass_rate'>, { least }: Threshold): boolean {
  return figures.pass_rate.value !== null && figures.pass_rate.value >= least;
}

function thresholdCase(figures: EvalTargetFigures, threshold: Threshold): string {
  const head = `    <testcase classname="${xml(figures.target)}" name="pass rate of at least ${threshold.least}"`;
  if (reaches(figures, threshold)) return `${head}/>\n`;
  return `${head}>\n      <failure message="the pass rate is ${figures.pass_rate.value ?? 'not known'}"/>\n    </testcase>\n`;
}

// XML 1.0, section 2.2: what may not stand in a document, even escaped.
const FORBIDDEN = /(?![\t\n\r])\p{Cc}|[\ufffe\uffff\p{Cs}]/gu;
const ESCAPES: Readonly<Record<string, string>> = {
  ...MARKUP_ESCAPES,
  '\n': '&#10;',
  '\r': '&#13;',
  '\t': '&#9;',
};

function xml(text: string): string {
  return text.replaceAll(FORBIDDEN, '\ufffd').replaceAll(/[&<>"'\n\r\t]/g, (character) => ESCAPES[character] ?? '');
}

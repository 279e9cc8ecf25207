import { describe, expect, it } from 'vitest';
import { type ComparedFigures, compareTargets } from '../../../src/core/eval/compare.ts';
import { csvReport } from '../../../src/core/eval/csv-report.ts';
import { htmlReport } from '../../../src/core/eval/html-report.ts';
import { junitReport, type Threshold } from '../../../src/core/eval/junit-report.ts';
import type { EvalComparedItem } from '../../../src/protocol/eval-compared-item.ts';
import type { EvalComparison } from '../../../src/protocol/eval-comparison.ts';
import { targetOf } from './records.ts';

const HOSTILE = `<img src=x onerror="alert(1)">'&\u0000\u001b[31m\u202e]]>`;

function comparisonOf(names: readonly [string, string], verdicts: readonly [string, string]): EvalComparison {
  const targets = names.map((name, index) => targetOf(name, verdicts[index] ?? '', index === 0 ? 1_000 : null));
  const steps = compareTargets(targets, { seed: 1, resamples: 50, confidence: 0.95 });
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done) return whole(step.value);
  }
}

function whole(figures: ComparedFigures): EvalComparison {
  return {
    object: 'eval.comparison',
    eval_id: 'eval_1',
    run_id: 'evalrun_1',
    status: 'completed',
    items_left_out: 0,
    failed_targets: [],
    ...figures,
  };
}

/** Items as `verdicts` tell, one text for each target; with the target's text and everything else as hostile as it may be. */
function itemsOf(names: readonly string[], verdicts: readonly string[], text: string): EvalComparedItem[] {
  return Array.from(verdicts[0] ?? '', (_none, place) => ({
    id: `item_${place}`,
    object: 'eval.compared_item' as const,
    datasource_item_id: place,
    datasource_item: { custom_id: `${text}${place}`, question: text },
    differs: new Set(verdicts.map((each) => each[place])).size > 1,
    outputs: names.map((target, index) => {
      const verdict = verdicts[index]?.[place] ?? '!';
      return {
        target,
        status: verdict === '1' ? ('pass' as const) : verdict === '0' ? ('fail' as const) : ('error' as const),
        score: Number(verdict === '1'),
        text: verdict === '!' ? null : text,
        error: verdict === '!' ? { code: 'server_error', message: text } : null,
        finish_reason: null,
        grades: [{ name: text, passed: verdict === '1', score: Number(verdict === '1'), error: null }],
        latency_ms: 1_234,
        cost_nano_usd: 5,
        cost_usd: '0.000000005',
      };
    }),
  }));
}

async function junit(thresholds: readonly Threshold[], text = 'plain'): Promise<string> {
  const names = ['first', text] as const;
  const verdicts = ['1110', '10!?'] as const;
  const items = itemsOf(names, verdicts, text);
  let xml = '';
  const each = async function* (): AsyncGenerator<EvalComparedItem> {
    yield* items;
  };
  for await (const piece of junitReport(text, comparisonOf(names, verdicts).targets, thresholds, each)) xml += piece;
  return xml;
}

describe('the HTML report', () => {
  it('escapes everything that models and people wrote, and runs and loads nothing', () => {
    const names = [HOSTILE, 'other'] as const;
    const verdicts = ['10!', '010'] as const;
    const report = htmlReport({
      title: HOSTILE,
      subtitle: HOSTILE,
      comparison: comparisonOf(names, verdicts),
      items: itemsOf(names, verdicts, HOSTILE),
    });
    expect(report).not.toMatch(/<img|onerror="|<script|\son\w+="|javascript:|https?:|url\(|@import|<link|\u202e/);
    expect(report).not.toContain('\u0000');
    expect(report).toContain('&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&#39;&amp;');
    expect(report).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`);
    // Every tag that is opened is one of the report's own.
    const tags = new Set([...report.matchAll(/<([a-z0-9]+)/g)].map(([, tag]) => tag));
    expect([...tags].filter((tag) => /script|img|iframe|object|embed|form|input|base/.test(tag ?? ''))).toEqual([]);
  });

  it('shows figures, intervals, the frontier, pairs and the items on which targets differ', () => {
    const names = ['good', 'poor'] as const;
    const verdicts = ['1111', '1100'] as const;
    const items = itemsOf(names, verdicts, 'An answer.').filter(({ differs }) => differs);
    const report = htmlReport({ title: 'T', subtitle: 'S', comparison: comparisonOf(names, verdicts), items });
    expect(report).toContain('100.0 %<div class="soft">51.0 % to 100.0 %</div>');
    expect(report).toContain('4 of 4 items have no known price.');
    expect(report).toContain('Items on which they differ: 2');
    expect(report.match(/<details>/g)).toHaveLength(2);
    expect(report).toContain('+50.0');
    expect(report).toContain('with seed 1 for the others.');
    expect(report).toContain('1 without a known price or grade.');
  });

  it('tells of how many answers a time is where others have none', () => {
    const comparison = comparisonOf(['a', 'b'], ['1111', '111!']);
    const withTimes = (timed: number) =>
      comparison.targets.map((figures) => ({ ...figures, latency_ms: { p50: 20, p90: 30, timed } }));
    const report = (timed: number) =>
      htmlReport({ title: '', subtitle: '', comparison: { ...comparison, targets: withTimes(timed) }, items: [] });
    expect(report(3).match(/20 ms<div class="soft">of 3 answers<\/div>/g)).toHaveLength(1);
    expect(report(4)).not.toContain('of 4 answers');
  });

  it('has something to say of a run without items, and of one target', () => {
    const report = htmlReport({ title: '', subtitle: '', comparison: comparisonOf(['a', 'b'], ['', '']), items: [] });
    expect(report).toContain('2 targets, 0 items');
    expect(report).toContain('No target has both a price and a grade.');
  });
});

describe('the JUnit report', () => {
  it('has a suite for each target, a case for each item, and one for each threshold', async () => {
    const xml = await junit([{ target: 'first', least: 0.8 }]);
    expect(xml).toContain('<testsuite name="first" tests="5" failures="2" errors="0">');
    expect(xml).toContain('<testsuite name="plain" tests="4" failures="1" errors="2">');
    expect(xml).toContain('<testcase classname="first" name="plain0" time="1.234"/>');
    expect(xml).toContain('<failure message="plain did not pass, with a score of 0">plain</failure>');
    expect(xml).toContain('<error message="plain"></error>');
    expect(xml).toContain('name="pass rate of at least 0.8">\n      <failure message="the pass rate is 0.75"/>');
    expect(xml.match(/<testcase/g)).toHaveLength(9);
  });

  it('is well formed whatever models and people wrote', async () => {
    const xml = await junit([], HOSTILE);
    for (const wrong of ['<img', '\u0000', '\u001b']) expect(xml).not.toContain(wrong);
    expect(xml).toContain('&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&#39;&amp;\ufffd\ufffd[31m');
    const text = xml.replaceAll(/<\?xml[^>]*>/g, '').replaceAll(/<[^<>]*>/g, '');
    expect(text).not.toMatch(/[<>]/);
    expect(xml.match(/<testcase[^>]*[^/]>/g)).toHaveLength(xml.match(/<\/testcase>/g)?.length ?? 0);
  });
});

describe('the CSV report', () => {
  it('has a line for each target, an empty cell for what is not known, and no formulas', () => {
    const csv = csvReport(comparisonOf(['=cmd|calc', 'b,"c"'], ['1110', '1100']));
    const [header, first, second] = csv.split('\r\n');
    expect(header?.split(',').slice(0, 6)).toEqual(['target', 'items', 'answered', 'graded', 'passed', 'pass_rate']);
    expect(first).toMatch(/^'=cmd\|calc,4,4,4,3,0\.75,0\.3/);
    expect(first).toMatch(/,0\.000004,0\.000001,0\.000001333,,true$/);
    expect(second).toMatch(/^"b,""c""",4,.*,,,,4 of 4 items have no known price\.,$/);
  });
});

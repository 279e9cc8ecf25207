import type { EvalComparison } from '../../../protocol/eval-comparison.ts';
import type { Api } from '../api.ts';
import { EXIT } from '../exit.ts';
import { printable, printableJson, printableLines } from '../printable.ts';
import { note, print, type Terminal } from '../terminal.ts';
import { layComparison, percent } from './lay-comparison.ts';
import type { EndedRun } from './start-run.ts';
import { exitCodeOf, type FailUnder, missedOf, thresholdsOf } from './thresholds.ts';
import { pathOfRun } from './watch-run.ts';
import { type ReportPaths, writeReports } from './write-reports.ts';

export interface ReportOptions extends ReportPaths {
  seed: number;
  failUnder: readonly FailUnder[];
  json: boolean | undefined;
  csv: boolean | undefined;
}

/** Compares the targets of a run, writes what was asked for, and answers the exit code. Throws CliError. */
export async function reportRun(
  terminal: Terminal,
  api: Api,
  ended: EndedRun,
  options: ReportOptions,
): Promise<number> {
  const { run } = ended;
  if (run.error !== null)
    await note(terminal, terminal.notes.paint.bad(printable(`The run failed: ${run.error.message}`)));
  const path = `${pathOfRun(run)}/comparison?seed=${options.seed}`;
  const comparison = await api.get<EvalComparison>(path);
  const thresholds = thresholdsOf(options.failUnder, comparison);
  const missed = missedOf(thresholds, comparison);
  await writeReports(api, options, { ...ended, comparison, thresholds });
  if (options.json) {
    const document = {
      ...comparison,
      thresholds: thresholds.map((one) => ({ ...one, reached: !missed.includes(one) })),
    };
    await print(terminal, printableJson(JSON.stringify(document, null, 2)));
  } else if (options.csv) {
    const text = await (await api.stream(`${path}&format=csv`)).text();
    await terminal.out.write(terminal.out.isTty ? printableLines(text) : text);
  } else {
    await print(terminal, layComparison(comparison, { width: terminal.out.columns, paint: terminal.out.paint }));
  }
  for (const { target, least } of missed) {
    const rate = comparison.targets.find((figures) => figures.target === target)?.pass_rate.value ?? null;
    const text = `${printable(target)} passes ${percent(rate)}, under the ${percent(least)} that --fail-under asks.`;
    await note(terminal, terminal.notes.paint.bad(text));
  }
  for (const written of [options.html, options.junit]) {
    if (written !== undefined) await note(terminal, `Written to ${printable(written)}`);
  }
  return run.status === 'completed' ? exitCodeOf(comparison, thresholds) : EXIT.failedLines;
}

import type { EvalObject } from '../../../protocol/eval.ts';
import type { EvalRunObject } from '../../../protocol/eval-run.ts';
import type { Page } from '../../../protocol/page.ts';
import { type Api, withApi } from '../api.ts';
import { readCount, valuesOf } from '../arguments.ts';
import { evalShowArguments } from '../eval/options.ts';
import { readSeed } from '../eval/read-request.ts';
import { reportRun } from '../eval/report-run.ts';
import { readFailUnder } from '../eval/thresholds.ts';
import { pathOfRun } from '../eval/watch-run.ts';
import { checkReportPaths } from '../eval/write-reports.ts';
import { EXIT, wrongUse } from '../exit.ts';
import { formatCount, formatShare, formatTime } from '../figures.ts';
import type { Parsed } from '../options.ts';
import { printableJson } from '../printable.ts';
import { type Column, layTable } from '../table.ts';
import { note, print, type Terminal } from '../terminal.ts';

const RUNS_SHOWN = 20;

/** `weir eval list`: the latest evals. */
export function listEvals(
  terminal: Terminal,
  args: { limit: string | undefined; json: boolean | undefined },
): Promise<number> {
  const limit = args.limit === undefined ? 20 : readCount(args.limit, 'limit', 100);
  return withApi(terminal, async (api) => {
    const page = await api.get<Page<EvalObject>>(`/v1/evals?order=desc&limit=${limit}`);
    const columns: Column[] = [
      { header: 'EVAL' },
      { header: 'NAME', least: 10 },
      { header: 'GRADERS', least: 8 },
      { header: 'CREATED' },
    ];
    const rows = page.data.map((each) => [
      each.id,
      each.name,
      each.testing_criteria.map(({ name }) => name).join(', '),
      formatTime(each.created_at).slice(0, 10),
    ]);
    await show(terminal, page, {
      json: args.json,
      columns,
      rows,
      none: 'There are no evals yet. See weir eval run --help.',
    });
    return EXIT.done;
  });
}

/** `weir eval show EVAL`: its runs; with a run: its comparison, and the reports that are asked for. */
export async function evalShow(
  terminal: Terminal,
  args: Parsed<typeof evalShowArguments>,
  rawArguments: readonly string[],
): Promise<number> {
  const failUnder = readFailUnder(valuesOf('fail-under', evalShowArguments, rawArguments));
  const seed = readSeed(args.seed);
  const path = `/v1/evals/${encodeURIComponent(args.id)}`;
  const runId = args.run;
  if (runId === undefined) {
    const ofRun = (['html', 'junit', 'csv', 'seed', 'fail-under'] as const).find((name) => args[name] !== undefined);
    if (ofRun !== undefined) throw wrongUse(`--${ofRun} is for one run: weir eval show ${args.id} RUN.`, ofRun);
    return withApi(terminal, (api) => showRuns(terminal, api, path, args.json));
  }
  await checkReportPaths(args);
  return withApi(terminal, async (api) => {
    const found = await api.get<EvalObject>(path);
    const run = await api.get<EvalRunObject>(pathOfRun({ eval_id: args.id, id: runId }));
    return reportRun(terminal, api, { eval: found, run }, { ...args, seed, failUnder });
  });
}

async function showRuns(terminal: Terminal, api: Api, path: string, json: boolean | undefined): Promise<number> {
  const page = await api.get<Page<EvalRunObject>>(`${path}/runs?order=desc&limit=${RUNS_SHOWN}`);
  const columns: Column[] = [
    { header: 'RUN' },
    { header: 'TARGETS', least: 8 },
    { header: 'STATUS' },
    { header: 'ITEMS', align: 'right' },
    { header: 'PASS', align: 'right' },
    { header: 'CREATED' },
  ];
  const rows = page.data.map(({ id, targets, status, result_counts: { total, passed }, created_at }) => [
    id,
    targets.map(({ name }) => name).join(', '),
    status,
    formatCount(targets.length === 0 ? total : total / targets.length),
    formatShare(passed, total),
    formatTime(created_at).slice(0, 10),
  ]);
  await show(terminal, page, { json, columns, rows, none: 'This eval has no runs yet.' });
  return EXIT.done;
}

async function show(
  terminal: Terminal,
  page: Page<{ id: string }>,
  list: { json: boolean | undefined; columns: readonly Column[]; rows: readonly string[][]; none: string },
): Promise<void> {
  if (list.json) return print(terminal, printableJson(JSON.stringify(page, null, 2)));
  if (list.rows.length === 0) return print(terminal, list.none);
  const { columns: width, paint } = terminal.out;
  await print(terminal, layTable(list.columns, list.rows, { width, paint }).join('\n'));
  if (page.has_more) await note(terminal, 'There are more; --json shows where the next page begins.');
}

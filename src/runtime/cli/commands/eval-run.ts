import { withApi } from '../api.ts';
import { valuesOf } from '../arguments.ts';
import { evalRunArguments } from '../eval/options.ts';
import { readRunRequest, readSampleSize } from '../eval/read-request.ts';
import { reportRun } from '../eval/report-run.ts';
import { runEval } from '../eval/start-run.ts';
import { readFailUnder } from '../eval/thresholds.ts';
import { checkReportPaths } from '../eval/write-reports.ts';
import type { Parsed } from '../options.ts';
import type { Terminal } from '../terminal.ts';

type Arguments = Parsed<typeof evalRunArguments>;

/** `weir eval run FILE`: asks every target every item, grades, compares and reports. */
export async function evalRun(terminal: Terminal, args: Arguments, rawArguments: readonly string[]): Promise<number> {
  const failUnder = readFailUnder(valuesOf('fail-under', evalRunArguments, rawArguments));
  const sample = args.sample === undefined ? undefined : readSampleSize(args.sample, 1);
  const request = { ...readRunRequest(evalRunArguments, args, rawArguments), sample };
  await checkReportPaths(args);
  return withApi(terminal, async (api) => {
    const ended = await runEval(terminal, api, request);
    return reportRun(terminal, api, ended, { ...args, seed: request.seed, failUnder });
  });
}

import { basename } from 'node:path';
import type { SampleSize } from '../../../core/eval/draw-sample.ts';
import { readCount, valuesOf } from '../arguments.ts';
import { wrongUse } from '../exit.ts';
import type { Parsed } from '../options.ts';
import type { evalChooseArguments, evalRunArguments } from './options.ts';
import type { RunRequest } from './start-run.ts';
import { readParams } from './targets.ts';
import { readShare } from './thresholds.ts';

const ITEMS_MAX = 100_000_000;
const SEED_MAX = 999_999_999;

type Definition = typeof evalRunArguments | typeof evalChooseArguments;

/** What a command line asks of a run, but for its sample. Throws CliError. */
export function readRunRequest(
  definition: Definition,
  args: Parsed<typeof evalRunArguments> | Parsed<typeof evalChooseArguments>,
  rawArguments: readonly string[],
): Omit<RunRequest, 'sample'> {
  return {
    file: args.file,
    name: args.name ?? basename(args.file),
    answers: args.answers,
    prompt: args.prompt,
    system: args.system,
    targets: args.targets,
    route: args.route,
    graders: valuesOf('grader', definition, rawArguments),
    judge: {
      ...(args['judge-route'] !== undefined && { config: args['judge-route'] }),
      ...(args['judge-window'] !== undefined && { completion_window: args['judge-window'] }),
    },
    params: readParams(valuesOf('param', definition, rawArguments)),
    window: args.window ?? 'immediate',
    seed: readSeed(args.seed),
  };
}

/** Of samples and intervals: 0 unless it is given. Throws CliError. */
export function readSeed(text: string | undefined): number {
  if (text === undefined) return 0;
  if (/^\d{1,9}$/.test(text) && Number(text) <= SEED_MAX) return Number(text);
  throw wrongUse(`--seed needs a whole number from 0 to ${SEED_MAX}.`, 'seed');
}

/** A number of items, or a share of all (`1%`, `0.01`) but at least `least`. Throws CliError. */
export function readSampleSize(text: string, least: number): SampleSize {
  if (/^\d+$/.test(text)) return { count: readCount(text, 'sample', ITEMS_MAX) };
  const share = readShare(text, 'sample');
  if (share > 0) return { share, least };
  throw wrongUse('--sample needs more than nothing.', 'sample');
}

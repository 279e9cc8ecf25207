import type { EvalChoice } from '../../../protocol/eval-choice.ts';
import { ROUTE_NAME_PATTERN, ROUTE_NAME_RULE } from '../../../protocol/route.ts';
import { withApi } from '../api.ts';
import { readCount } from '../arguments.ts';
import { percent } from '../eval/lay-comparison.ts';
import { evalChooseArguments } from '../eval/options.ts';
import { readRunRequest, readSampleSize } from '../eval/read-request.ts';
import { runEval } from '../eval/start-run.ts';
import { readShare } from '../eval/thresholds.ts';
import { pathOfRun } from '../eval/watch-run.ts';
import { EXIT, wrongUse } from '../exit.ts';
import type { Parsed } from '../options.ts';
import { printable, printableJson, wrap } from '../printable.ts';
import { type Column, layTable, type TableOptions } from '../table.ts';
import { print, type Terminal } from '../terminal.ts';

type Arguments = Parsed<typeof evalChooseArguments>;

const ITEMS_LEAST = 30;
const ITEMS_LEAST_MAX = 1_000_000;
const SAMPLE = '1%';

/**
 * `weir eval choose FILE`: asks a sample of the items of every target, and proposes how to divide requests among them by
 * dollars per accepted answer; 1 when no target is good enough.
 */
export async function evalChoose(
  terminal: Terminal,
  args: Arguments,
  rawArguments: readonly string[],
): Promise<number> {
  if (args.floor === undefined) throw wrongUse('--floor is missing: the least pass rate, such as 90%.', 'floor');
  if (args.apply !== undefined && !ROUTE_NAME_PATTERN.test(args.apply)) {
    throw wrongUse(`--apply ${args.apply} is no name of a route: ${ROUTE_NAME_RULE}.`, 'apply');
  }
  const floor = readShare(args.floor, 'floor');
  const least = args.least === undefined ? ITEMS_LEAST : readCount(args.least, 'least', ITEMS_LEAST_MAX);
  const sample = readSampleSize(args.sample ?? SAMPLE, least);
  const request = { ...readRunRequest(evalChooseArguments, args, rawArguments), sample };
  return withApi(terminal, async (api) => {
    const { run } = await runEval(terminal, api, request);
    const choice = await api.post<EvalChoice>(`${pathOfRun(run)}/choice`, {
      quality_floor: floor,
      items_least: least,
      certainty: args.sure ? 'sure' : 'likely',
      strategy: args.cheapest ? 'cheapest' : 'spread',
    });
    const isPossible = choice.route !== null;
    const { columns: width, paint } = terminal.out;
    const apply = (name: string): Promise<EvalChoice> =>
      api.post<EvalChoice>(`${pathOfRun(run)}/choice`, { ...rulesOf(choice), apply_to: name }).catch(async (error) => {
        // What was paid for is shown, even where it cannot be stored.
        if (!args.json) await print(terminal, layChoice(choice, { width, paint }));
        throw error;
      });
    const applied = args.apply !== undefined && isPossible ? await apply(args.apply) : choice;
    const text = args.json ? printableJson(JSON.stringify(applied, null, 2)) : layChoice(applied, { width, paint });
    await print(terminal, text);
    return isPossible ? EXIT.done : EXIT.failedLines;
  });
}

function rulesOf({ quality_floor, items_least, certainty, strategy }: EvalChoice) {
  return { quality_floor, items_least, certainty, strategy };
}

const COLUMNS: readonly Column[] = [
  { header: 'TARGET', least: 8 },
  { header: 'WEIGHT', align: 'right' },
  { header: 'ITEMS', align: 'right' },
  { header: 'PASS', align: 'right' },
  { header: '95 %', align: 'right' },
  { header: 'USD/PASS', align: 'right' },
];

/** A proposal for people: the weights, why, and what it would be as a route. */
export function layChoice(choice: EvalChoice, options: TableOptions): string {
  const rows = choice.targets.map(({ target, weight, graded, pass_rate, per_accepted_usd }) => [
    target,
    String(weight),
    String(graded),
    percent(pass_rate.value),
    pass_rate.low === null ? '' : `${percent(pass_rate.low, 0)} to ${percent(pass_rate.high, 0)}`,
    per_accepted_usd ?? 'unknown',
  ]);
  const expected =
    choice.expected === null
      ? []
      : [
          `Expected of these weights: ${percent(choice.expected.pass_rate)} pass, $${choice.expected.per_accepted_usd} an accepted answer.`,
        ];
  const reasons = choice.targets.map(({ target, reason }) => `${target}: ${reason}`);
  const say = (texts: readonly string[]): string[] => texts.flatMap((text) => wrap(printable(text), options.width));
  return [
    ...layTable(COLUMNS, rows, options),
    '',
    ...say(choice.reasoning),
    ...say(reasons),
    ...say(expected),
    ...(choice.route === null ? [] : ['', ...routeLines(choice)]),
  ].join('\n');
}

function routeLines({ route, applied_to }: EvalChoice): string[] {
  if (applied_to !== null) return [`Stored as the route ${printable(applied_to)}.`];
  return ['As a route (--apply NAME stores it):', printable(JSON.stringify(route))];
}

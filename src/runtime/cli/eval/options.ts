import type { ArgsDef } from 'citty';
import { flag, id, json, text } from '../options.ts';

const evalSource = {
  file: id('Items: JSONL, or an OpenAI batch file'),
  targets: text('a,b,c', 'Models or routes, or a file of targets'),
  route: text('route', "Instead: this route's targets"),
  grader: text('kind', 'numeric, exact, judge:MODEL, …; repeatable'),
  'judge-route': text('route', 'Ask the judges by this route'),
  'judge-window': text('time', "Their window, if not the targets'"),
  answers: text('file', 'JSONL of right answers by custom_id'),
  prompt: text('text', 'How to ask, such as "{{item.question}}"'),
  system: text('text', 'A system message before it'),
  param: text('k=v', 'Parameter of the requests; repeatable'),
  seed: text('n', 'Of samples and intervals (default 0)'),
  window: text('time', 'immediate (default), or such as 24h'),
  name: text('name', 'Runs of one name are compared over time'),
} as const;

const evalOutput = {
  html: text('file', 'Write a report as an HTML page'),
  junit: text('file', 'Write every item as JUnit XML'),
  csv: flag('The figures as CSV on stdout'),
  json,
} as const;

export const evalRunArguments = {
  ...evalSource,
  sample: text('n', 'Only so many items, or a share such as 5%'),
  'fail-under': text('rate', 'Exit 1 below it; t=rate for one; repeatable'),
  ...evalOutput,
} as const satisfies ArgsDef;

export const evalShowArguments = {
  id: id('Eval id'),
  run: { type: 'positional', description: 'Run id; without it: the runs', required: false },
  seed: evalSource.seed,
  'fail-under': evalRunArguments['fail-under'],
  ...evalOutput,
} as const satisfies ArgsDef;

export const evalChooseArguments = {
  ...evalSource,
  sample: text('n', 'Items to ask: a number, or a share (1%)'),
  least: text('n', 'Graded items that are wanted (default 30)'),
  floor: text('rate', 'The least pass rate, such as 90%'),
  sure: flag('The whole interval must be above the floor'),
  cheapest: flag('All to the cheapest; else by dollars'),
  apply: text('route', 'Store the proposal as this route'),
  json,
} as const satisfies ArgsDef;

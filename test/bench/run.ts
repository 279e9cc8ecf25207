/**
 * `npm run bench [-- --only immediate,ingest]`: every benchmark, one after the other, each in a process of its own; then
 * one table of their rows against the goals. Ends with 1 when a benchmark failed, not when a goal is not met.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type GoalRow, printGoals } from './goals.ts';

const BENCHMARKS = [
  'immediate',
  'convergence',
  'unequal',
  'split',
  'fairness',
  'sync',
  'ingest',
  'memory',
  'scale',
  'restart',
  'conversion',
  'ledger-queries',
  'interactive',
  'prefix',
];

const { values } = parseArgs({ options: { only: { type: 'string' } } });
const wanted = values.only?.split(',').map((name) => name.trim()) ?? BENCHMARKS;
const unknown = wanted.filter((name) => !BENCHMARKS.includes(name));
if (unknown.length > 0) {
  console.error(`There is no benchmark ${unknown.join(', ')}; there are ${BENCHMARKS.join(', ')}.`);
  process.exit(2);
}

const rows: GoalRow[] = [];
const failed: string[] = [];
for (const name of wanted) {
  console.log(`\n${name}`);
  const child = spawn(process.execPath, [join(import.meta.dirname, `${name}.ts`)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  child.on('message', (row) => rows.push(row as GoalRow));
  const [status] = (await once(child, 'close')) as [number | null];
  if (status !== 0) failed.push(name);
}

console.log('');
printGoals(rows);
const missed = rows.filter(({ met }) => met === false).length;
console.log(`\n${rows.filter(({ met }) => met).length} met, ${missed} not met.`);
if (failed.length > 0) console.error(`Did not come to an end: ${failed.join(', ')}.`);
process.exitCode = failed.length > 0 ? 1 : 0;

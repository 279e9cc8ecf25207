import { formatUsd } from '../../../core/money.ts';
import type { BatchObject } from '../../../protocol/batch.ts';
import { layAccount, type TargetAccount } from '../account.ts';
import { formatBytes, formatCount, formatSeconds, plural, roughUsd } from '../figures.ts';
import type { Paint } from '../paint.ts';
import { cut, printable, wrap } from '../printable.ts';
import { layBar } from '../progress.ts';
import { layPairs, layTable } from '../table.ts';
import { answerOf, type Sample } from './outcome.ts';
import type { Share } from './split.ts';

/** How the demo looks; all pure. Every line fits 80 columns. */
export const WIDTH = 80;

/** What is about to happen. */
export function layIntroduction(
  facts: { url: string; file: string; lines: number; bytes: number; shares: readonly Share[] },
  paint: Paint,
): string[] {
  const route = facts.shares.map(({ target, weight }) => `${weight} ${target.split('/')[0]}`).join(' · ');
  return [
    paint.bold('Weir demo: one batch file, several targets, an exact account'),
    '',
    ...layPairs(
      [
        ['Server', `${facts.url} (sandbox providers, no keys, temporary data)`],
        ['File', `${facts.file}: ${plural(facts.lines, 'request')}, ${formatBytes(facts.bytes)}`],
        ['Route', route],
      ],
      { width: WIDTH, paint },
    ),
    '',
  ];
}

const TARGET_COLUMNS = 28;
const BAR_COLUMNS = 20;

/** One line for each target while the batch runs. */
export function layTargets(shares: readonly Share[], width: number, paint: Paint): string[] {
  return shares.map(({ target, wanted, got, failedTries, nano }) => {
    const name = cut(printable(target), TARGET_COLUMNS).padEnd(TARGET_COLUMNS);
    const bar = layBar(wanted > 0 ? got / wanted : 0, BAR_COLUMNS, paint);
    const counts = `${formatCount(got)}/${formatCount(Math.round(wanted))}`.padStart(9);
    const again = failedTries > 0 ? paint.warn(`↻ ${formatCount(failedTries)}`) : '';
    const line = `${name} ${bar} ${counts}  ${roughUsd(nano)}`;
    return width < WIDTH - 1 ? cut(`${name} ${counts}`, width) : `${line}  ${again}`.trimEnd();
  });
}

/** The same for the end of a sentence. */
export function sayTargets(shares: readonly Share[]): string {
  return `; ${shares.map(({ target, got }) => `${printable(target.split('/')[0] ?? target)} ${formatCount(got)}`).join(', ')}`;
}

const ANSWER_LINES = 2;

/** Questions and answers, with who answered and for how much. */
export function laySamples(samples: readonly Sample[], paint: Paint): string[] {
  const text = (mark: string, content: string) => {
    const lines = wrap(printable(content), WIDTH - 4);
    const shown =
      lines.length > ANSWER_LINES
        ? [...lines.slice(0, ANSWER_LINES - 1), lines.slice(ANSWER_LINES - 1).join(' ')]
        : lines;
    return shown.map((line, index) => `${index === 0 ? mark : ' '}   ${cut(line, WIDTH - 4)}`);
  };
  return samples.flatMap(({ question, line }) => {
    const cost = line.weir.cost_nano_usd === null ? 'unpriced' : `$${formatUsd(line.weir.cost_nano_usd)}`;
    const tries = line.weir.attempts > 1 ? `, ${line.weir.attempts} attempts` : '';
    const head = cut(printable(`${line.custom_id}  ${line.weir.target ?? ''}  ${cost}${tries}`), WIDTH);
    return [paint.accent(head), ...text('Q', question), ...text('A', answerOf(line)), ''];
  });
}

/** The weights of the route beside the lines that each target got. */
export function laySplit(shares: readonly Share[], paint: Paint): string[] {
  const rows = shares.map(({ target, weight, wanted, got }) => [
    target,
    String(weight),
    Number.isInteger(wanted) ? formatCount(wanted) : wanted.toFixed(1),
    formatCount(got),
  ]);
  const columns = [
    { header: 'TARGET', least: 20 },
    { header: 'WEIGHT', align: 'right' as const },
    { header: 'LINES WANTED', align: 'right' as const },
    { header: 'LINES GOT', align: 'right' as const },
  ];
  return layTable(columns, rows, { width: WIDTH, paint });
}

/** The account by target, and the proof that it is right. */
export function layLedger(
  accounts: readonly TargetAccount[],
  batch: BatchObject,
  problem: string | null,
  paint: Paint,
): string[] {
  const proof =
    problem === null
      ? `${paint.good('✓')} batch cost = ledger = sum of the output lines = $${batch.cost.amount_usd}`
      : `${paint.bad('✗')} ${problem}`;
  return [...layAccount(accounts, { width: WIDTH, paint }), proof];
}

/** What was tried again, and why. */
export function sayRetries(failures: ReadonlyMap<string, number>): string {
  const total = [...failures.values()].reduce((sum, count) => sum + count, 0);
  if (total === 0) return 'No attempt failed.';
  const reasons = [...failures]
    .sort(([, left], [, right]) => right - left)
    .map(([reason, count]) => `${reason} × ${count}`);
  return `${plural(total, 'attempt')} failed (${reasons.join(', ')}) and ${total === 1 ? 'was' : 'were'} made again.`;
}

/** The sentence below the bar once the batch has ended. */
export function sayEnd(batch: BatchObject, seconds: number): string {
  const { total, completed, failed } = batch.request_counts;
  const rate = `${formatCount(Math.round(total / Math.max(seconds, 0.001)))}/s`;
  const failures = failed > 0 ? `, ${formatCount(failed)} failed` : '';
  return `${formatCount(completed)} of ${plural(total, 'line')} done${failures} in ${formatSeconds(seconds)} (${rate}).`;
}

import type { BatchObject } from '../../protocol/batch.ts';
import type { BatchRequest } from '../../protocol/batch-request.ts';
import type { Page } from '../../protocol/page.ts';
import { accountByTarget, type BatchLedger, layAccount } from './account.ts';
import type { Api } from './api.ts';
import { EXIT, type ExitCode } from './exit.ts';
import { formatCount, formatSeconds, formatShare, formatTime, isUnknown, plural, roughUsd } from './figures.ts';
import { cut, printable, printableJson, wrap } from './printable.ts';
import { layPairs, layTable, type TableOptions } from './table.ts';
import { print, type Terminal } from './terminal.ts';
import { hasEnded } from './watch.ts';

/** Failed lines make 1, whatever else went well; a batch that still runs makes 0. */
export function exitCodeOf(batch: BatchObject): ExitCode {
  if (!hasEnded(batch)) return EXIT.done;
  return batch.status === 'completed' && batch.request_counts.failed === 0 ? EXIT.done : EXIT.failedLines;
}

/** The batch's ledger; null for a batch that never ran. */
export async function fetchLedger(api: Api, batch: BatchObject): Promise<BatchLedger | null> {
  if (batch.status === 'failed' || batch.status === 'validating') return null;
  return api.get<BatchLedger>(`/v1/batches/${encodeURIComponent(batch.id)}/ledger`);
}

const FAILURES_SHOWN = 3;

/** The first failed lines of a batch that has ended, to show what went wrong. */
export async function fetchFailures(api: Api, batch: BatchObject): Promise<BatchRequest[]> {
  if (!hasEnded(batch) || batch.request_counts.failed === 0) return [];
  const path = `/v1/batches/${encodeURIComponent(batch.id)}/requests?status=failed&limit=${FAILURES_SHOWN}`;
  return (await api.get<Page<BatchRequest>>(path)).data;
}

export interface ReportExtras {
  ledger: BatchLedger | null;
  failures?: readonly BatchRequest[];
  /** Where the output lines were written. */
  outputPath?: string | null;
}

/** Prints a batch as JSON: the object of the API with what the command learnt beside. */
export async function printBatchJson(terminal: Terminal, batch: BatchObject, extras: ReportExtras): Promise<void> {
  const document = { ...batch, ledger: extras.ledger, output_path: extras.outputPath ?? null };
  await print(terminal, printableJson(JSON.stringify(document, null, 2)));
}

/** Prints a batch for people: what became of it, the account by target, what is wrong with its file. */
export async function printBatch(terminal: Terminal, batch: BatchObject, extras: ReportExtras): Promise<void> {
  const options: TableOptions = { width: terminal.out.columns, paint: terminal.out.paint };
  const sections = [
    layPairs(describe(batch, extras), options),
    layErrors(batch, options),
    layFailures(extras.failures ?? [], options),
  ];
  if (extras.ledger !== null && extras.ledger.data.length > 0) {
    sections.push(layAccount(accountByTarget(extras.ledger), options));
  }
  const text = sections.filter((lines) => lines.length > 0).map((lines) => lines.join('\n'));
  await print(terminal, text.join('\n\n'));
}

function describe(batch: BatchObject, extras: ReportExtras): [string, string][] {
  const { total, completed, failed } = batch.request_counts;
  const pairs: [string, string][] = [
    ['Batch', batch.id],
    ['Status', batch.paused ? `${batch.status} (paused)` : batch.status],
  ];
  if (total > 0) {
    const left = total - completed - failed;
    const counts = [`${formatCount(completed)} of ${plural(total, 'line')} done (${formatShare(completed, total)})`];
    if (failed > 0) counts.push(`${formatCount(failed)} failed`);
    if (left > 0) counts.push(`${formatCount(left)} left`);
    pairs.push(['Lines', counts.join(', ')]);
  }
  pairs.push(['Created', formatTime(batch.created_at)]);
  const endedAt = endOf(batch);
  if (endedAt !== null)
    pairs.push(['Ended', `${formatTime(endedAt)} (after ${formatSeconds(endedAt - batch.created_at)})`]);
  else pairs.push(['Window', `${batch.completion_window}, until ${formatTime(batch.expires_at)}`]);
  if (batch.config !== null) pairs.push(['Route', batch.config]);
  if (batch.retry_of !== null) pairs.push(['Retry of', batch.retry_of]);
  if (total > 0) pairs.push(['Cost', costOf(batch)]);
  if (batch.output_file_id !== null) pairs.push(['Output file', batch.output_file_id]);
  if (batch.error_file_id !== null) pairs.push(['Error file', batch.error_file_id]);
  if (extras.outputPath) pairs.push(['Written to', extras.outputPath]);
  if (failed > 0 && hasEnded(batch)) pairs.push(['Failed lines', `weir retry ${batch.id} sends them again`]);
  return pairs;
}

function costOf({ cost }: BatchObject): string {
  const list = cost.list_amount_nano_usd === cost.amount_nano_usd ? '' : ` (at list prices $${cost.list_amount_usd})`;
  const { amount_nano_usd: nano, unpriced_entries: count } = cost;
  const unpriced = count > 0 ? `, and ${formatCount(count)} without a known price` : '';
  const expected = cost.estimate?.expected_usd;
  const estimated = expected == null ? '' : `, estimated at $${expected}`;
  if (isUnknown({ nano, unpriced: count }))
    return `unknown: ${plural(count, 'attempt')} without a known price${estimated}`;
  return `$${cost.amount_usd}${list}${unpriced}${estimated}`;
}

function roughCost({ cost: { amount_nano_usd: nano, unpriced_entries: unpriced } }: BatchObject): string {
  return isUnknown({ nano, unpriced }) ? 'unknown' : `${roughUsd(nano)}${unpriced > 0 ? '*' : ''}`;
}

function endOf(batch: BatchObject): number | null {
  return batch.completed_at ?? batch.cancelled_at ?? batch.expired_at ?? batch.failed_at;
}

const ERRORS_SHOWN = 20;

function layErrors(batch: BatchObject, options: TableOptions): string[] {
  const errors = batch.errors?.data ?? [];
  if (errors.length === 0) return [];
  const whole = batch.status === 'failed' ? 'file' : 'batch';
  const lines = errors.slice(0, ERRORS_SHOWN).flatMap((error) => {
    const head = `${error.line === null ? whole : `line ${error.line}`}: ${error.code}`;
    const text = printable(error.param === null ? error.message : `${error.param}: ${error.message}`);
    return [options.paint.bad(printable(head)), ...indented(text, options.width)];
  });
  const hidden = errors.length - ERRORS_SHOWN;
  return hidden > 0 ? [...lines, `… and ${plural(hidden, 'more error')}; --json shows all`] : lines;
}

function layFailures(failures: readonly BatchRequest[], options: TableOptions): string[] {
  if (failures.length === 0) return [];
  const lines = failures.flatMap((request) => {
    const status = request.status_code === null ? '' : ` (HTTP ${request.status_code})`;
    const head = `line ${request.line} ${request.custom_id}: ${request.error?.code ?? 'failed'}${status}`;
    const text = printable(request.error?.message ?? '');
    return [options.paint.bad(cut(printable(head), options.width)), ...indented(text, options.width)];
  });
  return [options.paint.bold('First failures'), ...lines];
}

function indented(text: string, width: number): string[] {
  return text === '' ? [] : wrap(text, width - 2).map((line) => `  ${line}`);
}

/** Prints batches as a table, or says that there are none. */
export async function printBatches(terminal: Terminal, batches: readonly BatchObject[]): Promise<void> {
  if (batches.length === 0) {
    await print(terminal, 'There are no batches yet. Send one with: weir submit FILE');
    return;
  }
  const columns = [
    { header: 'BATCH' },
    { header: 'STATUS', least: 6 },
    { header: 'DONE', align: 'right' as const },
    { header: 'FAILED', align: 'right' as const },
    { header: 'COST', align: 'right' as const },
  ];
  const rows = batches.map((batch) => [
    batch.id,
    batch.paused ? 'paused' : batch.status,
    `${formatCount(batch.request_counts.completed)}/${formatCount(batch.request_counts.total)}`,
    formatCount(batch.request_counts.failed),
    roughCost(batch),
  ]);
  const lines = layTable(columns, rows, { width: terminal.out.columns, paint: terminal.out.paint });
  await print(terminal, lines.join('\n'));
}

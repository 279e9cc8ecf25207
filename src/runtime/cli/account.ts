import type { LedgerFigures } from '../../protocol/ledger.ts';
import { alignSums, formatCount } from './figures.ts';
import { type Column, layTable, type TableOptions } from './table.ts';

/** The answer of GET /v1/batches/{id}/ledger. */
export interface BatchLedger {
  object: 'batch.ledger';
  batch_id: string;
  data: (LedgerFigures & { target: string; model: string; status: string })[];
  total: LedgerFigures;
}

/** What one target did and cost. */
export interface TargetAccount {
  target: string;
  /** Lines whose answer, or last failure, came from it. */
  lines: number;
  attempts: number;
  /** Attempts that brought no answer, and those whose answer came too late. */
  wasted: number;
  inputTokens: number;
  outputTokens: number;
  nano: number;
  unpriced: number;
}

/** The account of a batch by target, in the order in which the server names them. */
export function accountByTarget(ledger: BatchLedger): TargetAccount[] {
  const accounts = new Map<string, TargetAccount>();
  for (const row of ledger.data) {
    const account = accounts.get(row.target) ?? emptyAccount(row.target);
    accounts.set(row.target, add(account, row));
  }
  return [...accounts.values()];
}

function emptyAccount(target: string): TargetAccount {
  return { target, lines: 0, attempts: 0, wasted: 0, inputTokens: 0, outputTokens: 0, nano: 0, unpriced: 0 };
}

function add(account: TargetAccount, row: LedgerFigures & { status: string }): TargetAccount {
  const isAnswer = row.status === 'succeeded';
  return {
    target: account.target,
    lines: account.lines + row.requests,
    attempts: account.attempts + row.entries,
    wasted: account.wasted + (isAnswer ? 0 : row.entries),
    inputTokens: account.inputTokens + row.input_tokens,
    outputTokens: account.outputTokens + row.output_tokens,
    nano: account.nano + row.amount_nano_usd,
    unpriced: account.unpriced + row.unpriced_entries,
  };
}

/** All targets together. */
export function totalAccount(accounts: readonly TargetAccount[]): TargetAccount {
  return accounts.reduce(
    (sum, account) => ({
      target: 'total',
      lines: sum.lines + account.lines,
      attempts: sum.attempts + account.attempts,
      wasted: sum.wasted + account.wasted,
      inputTokens: sum.inputTokens + account.inputTokens,
      outputTokens: sum.outputTokens + account.outputTokens,
      nano: sum.nano + account.nano,
      unpriced: sum.unpriced + account.unpriced,
    }),
    emptyAccount('total'),
  );
}

const COLUMNS: readonly Column[] = [
  { header: 'TARGET', least: 12 },
  { header: 'LINES', align: 'right' },
  { header: 'ERRORS', align: 'right' },
  { header: 'TOKENS IN', align: 'right' },
  { header: 'TOKENS OUT', align: 'right' },
  { header: 'COST USD', align: 'right' },
];

/** The account as a table with its total. Amounts are exact. */
export function layAccount(accounts: readonly TargetAccount[], options: TableOptions): string[] {
  const all = [...accounts, totalAccount(accounts)];
  const amounts = alignSums(all);
  const rows = all.map((account, index) => [
    account.target,
    formatCount(account.lines),
    formatCount(account.wasted),
    formatCount(account.inputTokens),
    formatCount(account.outputTokens),
    amounts[index] ?? '',
  ]);
  const lines = layTable(COLUMNS, rows, { ...options, hasTotal: true });
  const { unpriced } = all.at(-1) ?? emptyAccount('');
  return unpriced > 0 ? [...lines, `* ${formatCount(unpriced)} without a known price are not in the sum`] : lines;
}

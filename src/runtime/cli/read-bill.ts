import { createReadStream } from 'node:fs';
import { csvRows } from '../../core/csv-rows.ts';
import { formatUsd } from '../../core/money.ts';
import { type BillReader, openBill } from '../../core/reconcile/billing-csv.ts';
import { addBilled, type BilledRow } from '../../core/reconcile/reconcile.ts';
import type { ReconcileInput } from '../../protocol/reconciliation.ts';
import { wrongUse } from './exit.ts';
import { sizeOfInput } from './input-file.ts';

type Billed = NonNullable<ReconcileInput['billed']>;

const PROBLEMS_SHOWN = 20;

export interface Bill {
  /** What kind of export it is. */
  format: string;
  /** One row for each day and model. */
  rows: Billed;
  /** Rows of the file that are about other services. */
  skipped: number;
}

/** Reads a billing export and adds it up by day and model. Throws CliError with what cannot be read, and where. */
export async function readBill(path: string): Promise<Bill> {
  await sizeOfInput(path, 'A bill has a line with the names of its columns, and a row for each day and model.');
  const sums = new Map<string, BilledRow>();
  const problems: string[] = [];
  let reader: BillReader | null = null;
  let line = 0;
  let skipped = 0;
  for await (const cells of csvRows(createReadStream(path, { encoding: 'utf8' }))) {
    line += 1;
    if (reader === null) {
      const opened = openBill(cells);
      if ('problem' in opened) throw wrongUse(`${path}: ${opened.problem}`, 'file');
      reader = opened;
      continue;
    }
    if (cells.every((cell) => cell.trim() === '')) continue;
    const read = reader.read(cells, line);
    if (read === null) skipped += 1;
    else if ('problem' in read) problems.push(read.problem);
    else addTo(sums, read);
    if (problems.length > PROBLEMS_SHOWN) break;
  }
  if (problems.length > 0) {
    const more = problems.length > PROBLEMS_SHOWN ? '\nand more' : '';
    throw wrongUse(`${path} cannot be read:\n${problems.slice(0, PROBLEMS_SHOWN).join('\n')}${more}`, 'file');
  }
  if (sums.size + skipped === 0) throw wrongUse(`${path} has no rows below the names of its columns.`, 'file');
  return { format: reader?.format ?? '', rows: [...sums.values()].map(toBilled), skipped };
}

function addTo(sums: Map<string, BilledRow>, row: BilledRow): void {
  const key = `${row.day} ${row.model}`;
  const known = sums.get(key);
  if (known === undefined) sums.set(key, { ...row });
  else addBilled(known, row);
}

function toBilled(row: BilledRow): Billed[number] {
  return {
    day: new Date(row.day * 1000).toISOString().slice(0, 10),
    model: row.model,
    input_tokens: row.inputTokens,
    output_tokens: row.outputTokens,
    amount_usd: row.amountAtto === null ? null : exactUsd(row.amountAtto),
  };
}

/** All 18 decimals: the server rounds sums, and nobody rounds before it. */
function exactUsd(atto: bigint): string {
  const nano = atto / 10n ** 9n;
  const rest = atto - nano * 10n ** 9n;
  if (rest === 0n) return formatUsd(nano) ?? '0';
  const digits = (atto < 0n ? -atto : atto).toString().padStart(19, '0');
  return `${atto < 0n ? '-' : ''}${digits.slice(0, -18)}.${digits.slice(-18)}`;
}

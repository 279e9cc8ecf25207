import type { ReconcileInput, Reconciliations } from '../../../protocol/reconciliation.ts';
import { withApi } from '../api.ts';
import { valuesOf } from '../arguments.ts';
import { EXIT, wrongUse } from '../exit.ts';
import { alignUsd, formatCount, plural } from '../figures.ts';
import { type Parsed, reconcileArguments } from '../options.ts';
import { printable, printableJson } from '../printable.ts';
import { readBill } from '../read-bill.ts';
import { type Column, layTable } from '../table.ts';
import { note, print, type Terminal } from '../terminal.ts';
import { reconcileBatches } from './reconcile-batches.ts';

type Reconciliation = Reconciliations['data'][number];

const DAYS_BACK = 30;
const DAY_MS = 86_400_000;
const ROWS_SHOWN = 40;

/** `weir reconcile [FILE]`: the ledger beside a bill; 1 when some of it has no cause. */
export async function reconcile(
  terminal: Terminal,
  args: Parsed<typeof reconcileArguments>,
  rawArguments: readonly string[],
): Promise<number> {
  const models = mapping(valuesOf('map', reconcileArguments, rawArguments));
  const providers = args.provider?.split(',').map((name) => name.trim());
  if (args.file !== undefined && providers === undefined) {
    throw wrongUse('--provider is missing: which providers of the config is this bill about?', 'provider');
  }
  if (args.batches) {
    if (args.file !== undefined) throw wrongUse('--batches takes no bill.', 'batches');
    return reconcileBatches(terminal, { ...period(args, undefined), provider: args.provider }, args.json === true);
  }
  const bill = args.file === undefined ? null : await readBill(args.file);
  const body: ReconcileInput = {
    ...period(args, bill?.rows),
    ...(providers && { providers }),
    ...(bill && { billed: bill.rows }),
    ...(Object.keys(models).length > 0 && { models }),
  };
  if (bill !== null) body.billed = bill.rows.filter(({ day }) => day >= body.from && day < body.to);
  return withApi(terminal, async (api) => {
    if (bill !== null && args.json !== true) {
      await note(terminal, `Read as ${bill.format}; ${plural(bill.skipped, 'row')} about other services left out.`);
      const outside = bill.rows.length - (body.billed?.length ?? 0);
      if (outside > 0) {
        const days = `${body.from} to ${body.to}`;
        await note(terminal, `${plural(outside, 'sum')} of a day and model not within ${days} left out.`);
      }
    }
    const found = await api.post<Reconciliations>('/v1/ledger/reconciliations', body);
    if (args.json) await print(terminal, printableJson(JSON.stringify(found, null, 2)));
    else await show(terminal, found);
    const isOpen = found.data.some(({ unexplained_nano_usd: open, data }) => open !== 0 || data.some(isUnlike));
    return isOpen ? EXIT.failedLines : EXIT.done;
  });
}

/** `--map "bill's name=ledger's name"` */
function mapping(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.lastIndexOf('=');
      if (at < 1 || at === pair.length - 1) {
        throw wrongUse(`--map is written as BILLED=LEDGER, not ${printable(pair)}.`, 'map');
      }
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

/** What is asked for; else the days of the bill, or the last ones. `to` is the day after the last. */
function period(
  { from, to }: Parsed<typeof reconcileArguments>,
  rows: ReconcileInput['billed'],
): { from: string; to: string } {
  const days = (rows ?? []).map(({ day }) => day).toSorted();
  const today = Math.floor(Date.now() / DAY_MS) * DAY_MS;
  const text = (at: number) => new Date(at).toISOString().slice(0, 10);
  const [first = text(today - DAYS_BACK * DAY_MS)] = days;
  const last = days.at(-1);
  return { from: from ?? first, to: to ?? (last === undefined ? text(today) : text(Date.parse(last) + DAY_MS)) };
}

function isUnlike({ cause }: { cause: string }): boolean {
  return cause !== 'equal' && cause !== 'rounding' && cause !== 'unpriced';
}

async function show(terminal: Terminal, found: Reconciliations): Promise<void> {
  for (const each of found.data) await showOne(terminal, each);
  for (const { provider, reason } of found.skipped) await print(terminal, printable(`${provider}: ${reason}`));
  if (found.data.length + found.skipped.length === 0) await print(terminal, 'No provider is configured.');
}

async function showOne(terminal: Terminal, each: Reconciliation): Promise<void> {
  const options = { width: terminal.out.columns, paint: terminal.out.paint };
  await print(terminal, printable(`${each.providers.join(', ')}, ${each.from} to ${each.to}`));
  const unlike = each.data.filter(isUnlike);
  if (unlike.length > 0) {
    const columns: Column[] = [
      { header: 'DAY' },
      { header: 'MODEL', least: 12 },
      { header: 'LEDGER USD', align: 'right' },
      { header: 'BILLED USD', align: 'right' },
      { header: 'CAUSE', least: 8 },
    ];
    const shown = unlike.slice(0, ROWS_SHOWN);
    const rows = shown.map((row) => [
      row.day,
      row.model,
      row.ledger?.amount_usd ?? '–',
      row.billed?.amount_usd ?? '–',
      row.cause,
    ]);
    await print(terminal, layTable(columns, rows, options).join('\n'));
    if (unlike.length > shown.length) {
      await note(terminal, `The first ${ROWS_SHOWN} of ${formatCount(unlike.length)}; --json holds all.`);
    }
  }
  const figures: [string, number][] = [
    ['ledger', each.ledger_nano_usd],
    ['explained', each.explained_nano_usd],
    ['unexplained', each.unexplained_nano_usd],
    ['billed', each.billed_nano_usd],
  ];
  const amounts = alignUsd(figures.map(([, nano]) => nano));
  const sums = figures.map(([name], index) => [name, amounts[index] ?? '']);
  const columns: Column[] = [{ header: '' }, { header: 'USD', align: 'right' }];
  await print(terminal, layTable(columns, sums, { ...options, hasTotal: true }).join('\n'));
}

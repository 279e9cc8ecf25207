import type { LedgerAdjustment } from '../../../protocol/ledger.ts';
import { withApi } from '../api.ts';
import { EXIT, wrongUse } from '../exit.ts';
import { formatCount, plural } from '../figures.ts';
import type { adjustArguments, Parsed } from '../options.ts';
import { printableJson } from '../printable.ts';
import { type Column, layTable } from '../table.ts';
import { print, type Terminal } from '../terminal.ts';

const FILTERS = ['batch', 'provider', 'model', 'from', 'to'] as const;

/** `weir adjust --reason TEXT [--apply]`: prices past entries anew; shows what would change unless told to do it. */
export function adjust(terminal: Terminal, args: Parsed<typeof adjustArguments>): Promise<number> {
  const { reason } = args;
  if (reason === undefined) throw wrongUse('--reason is missing: why the entries are priced anew.', 'reason');
  const filters = FILTERS.flatMap((name) => (args[name] === undefined ? [] : [[name, args[name]]]));
  const body = {
    reason,
    dry_run: args.apply !== true,
    only: args.all ? 'all' : 'unpriced',
    ...Object.fromEntries(filters),
    ...(args['prices-at'] !== undefined && { prices_at: args['prices-at'] }),
  };
  return withApi(terminal, async (api) => {
    const found = await api.post<LedgerAdjustment>('/v1/ledger/adjustments', body);
    if (args.json) await print(terminal, printableJson(JSON.stringify(found, null, 2)));
    else await show(terminal, found);
    return EXIT.done;
  });
}

async function show(terminal: Terminal, found: LedgerAdjustment): Promise<void> {
  if (found.data.length > 0) {
    const columns: Column[] = [
      { header: 'PROVIDER', least: 6 },
      { header: 'MODEL', least: 12 },
      { header: 'ENTRIES', align: 'right' },
      { header: 'BEFORE USD', align: 'right' },
      { header: 'AFTER USD', align: 'right' },
    ];
    const rows = found.data.map((row) => [
      row.provider,
      row.model,
      formatCount(row.entries),
      row.before_usd,
      row.after_usd,
    ]);
    const total = ['total', '', formatCount(found.adjusted), found.before_usd, found.after_usd];
    const options = { width: terminal.out.columns, paint: terminal.out.paint, hasTotal: true };
    await print(terminal, layTable(columns, [...rows, total], options).join('\n'));
  }
  const looked = `${plural(found.examined, 'entry').replace('entrys', 'entries')} looked at`;
  const done = found.dry_run
    ? `${formatCount(found.adjusted)} would change; --apply does it`
    : `${formatCount(found.adjusted)} adjusted`;
  await print(terminal, `${looked}: ${done}, ${formatCount(found.still_unpriced)} still without a price.`);
  if (found.has_more) await print(terminal, 'There are more: run it again.');
}

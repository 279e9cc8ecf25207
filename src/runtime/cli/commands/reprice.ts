import type { BatchRepricing } from '../../../protocol/repricing.ts';
import { withApi } from '../api.ts';
import { EXIT } from '../exit.ts';
import { alignSums, formatCount } from '../figures.ts';
import type { Parsed, repriceArguments } from '../options.ts';
import { printable, printableJson } from '../printable.ts';
import { type Column, layTable } from '../table.ts';
import { note, print, type Terminal } from '../terminal.ts';

/** `weir reprice ID [--provider P] [--model M] [--mode M] [--prices-at DAY]`: reads only. */
export function reprice(terminal: Terminal, args: Parsed<typeof repriceArguments>): Promise<number> {
  const query = new URLSearchParams();
  for (const name of ['provider', 'model', 'mode'] as const) if (args[name] !== undefined) query.set(name, args[name]);
  if (args['prices-at'] !== undefined) query.set('prices_at', args['prices-at']);
  return withApi(terminal, async (api) => {
    const found = await api.get<BatchRepricing>(`/v1/batches/${encodeURIComponent(args.id)}/repricing?${query}`);
    if (args.json) await print(terminal, printableJson(JSON.stringify(found, null, 2)));
    else await show(terminal, found);
    return EXIT.done;
  });
}

async function show(terminal: Terminal, found: BatchRepricing): Promise<void> {
  const columns: Column[] = [
    { header: 'TARGET', least: 12 },
    { header: 'ENTRIES', align: 'right' },
    { header: 'COST USD', align: 'right' },
    { header: 'OTHERWISE USD', align: 'right' },
  ];
  const sums = [...found.data, { ...found, target: 'total' }];
  const actual = alignSums(sums.map((row) => ({ nano: row.actual_nano_usd, unpriced: row.actual_unpriced_entries })));
  const repriced = alignSums(
    sums.map((row) => ({ nano: row.repriced_nano_usd, unpriced: row.repriced_unpriced_entries })),
  );
  const rows = sums.map((row, index) => [
    row.target,
    formatCount(row.entries),
    actual[index] ?? '',
    repriced[index] ?? '',
  ]);
  const options = { width: terminal.out.columns, paint: terminal.out.paint, hasTotal: true };
  await print(terminal, layTable(columns, rows, options).join('\n'));
  if (found.actual_unpriced_entries > 0) {
    await note(terminal, `* ${formatCount(found.actual_unpriced_entries)} entries have no price in the ledger`);
  }
  for (const { reason, entries } of found.unpriced) {
    await note(terminal, printable(`* ${formatCount(entries)} entries have no price there: ${reason}`));
  }
}

import type { BatchRepricing } from '../../../protocol/repricing.ts';
import { withApi } from '../api.ts';
import { EXIT } from '../exit.ts';
import { formatCount } from '../figures.ts';
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
  const rows = [...found.data, { ...found, target: 'total' }].map((row) => [
    row.target,
    formatCount(row.entries),
    `${row.actual_usd}${row.actual_unpriced_entries > 0 ? '*' : ''}`,
    `${row.repriced_usd}${row.repriced_unpriced_entries > 0 ? '*' : ''}`,
  ]);
  const options = { width: terminal.out.columns, paint: terminal.out.paint, hasTotal: true };
  await print(terminal, layTable(columns, rows, options).join('\n'));
  for (const { reason, entries } of found.unpriced) {
    await note(terminal, printable(`* ${formatCount(entries)} entries have no price there: ${reason}`));
  }
}

import type { ProviderBatchAccount, ProviderBatchAccounts } from '../../../protocol/reconciliation.ts';
import { type Api, withApi } from '../api.ts';
import { EXIT } from '../exit.ts';
import { formatCount, plural } from '../figures.ts';
import { printable, printableJson } from '../printable.ts';
import { type Column, layTable } from '../table.ts';
import { print, type Terminal } from '../terminal.ts';

/** States that need nobody's look. */
const FINE: readonly ProviderBatchAccount['state'][] = ['equal', 'running', 'not_told', 'removed'];

/** `weir reconcile --batches`: provider batches beside the ledger, and orphans; 1 when something needs a look. */
export function reconcileBatches(
  terminal: Terminal,
  query: { from: string; to: string; provider: string | undefined },
  json: boolean,
): Promise<number> {
  return withApi(terminal, async (api) => {
    const found = await all(api, query);
    if (json) await print(terminal, printableJson(JSON.stringify(found, null, 2)));
    else await show(terminal, found);
    const isFine = found.data.every(({ state }) => FINE.includes(state)) && found.orphans.length === 0;
    return isFine ? EXIT.done : EXIT.failedLines;
  });
}

async function all(
  api: Api,
  { from, to, provider }: { from: string; to: string; provider: string | undefined },
): Promise<ProviderBatchAccounts> {
  const query = new URLSearchParams({ from, to, ...(provider !== undefined && { provider }) });
  const data: ProviderBatchAccount[] = [];
  for (;;) {
    const page = await api.get<ProviderBatchAccounts>(`/v1/ledger/reconciliations/batches?${query}`);
    data.push(...page.data);
    if (!page.has_more || page.last_id === null) return { ...page, data };
    query.set('after', page.last_id);
  }
}

async function show(terminal: Terminal, { data, orphans, unreachable }: ProviderBatchAccounts): Promise<void> {
  const options = { width: terminal.out.columns, paint: terminal.out.paint };
  const unlike = data.filter(({ state }) => !FINE.includes(state));
  if (unlike.length > 0) {
    const columns: Column[] = [
      { header: 'PROVIDER', least: 6 },
      { header: 'PROVIDER BATCH', least: 12 },
      { header: 'STATE', least: 8 },
      { header: 'LEDGER TOKENS', align: 'right' },
      { header: 'BILLED TOKENS', align: 'right' },
    ];
    const tokens = (input: number | null, output: number | null) =>
      input === null ? '–' : formatCount(input + (output ?? 0));
    const rows = unlike.map((row) => [
      row.provider,
      row.provider_batch_id ?? '–',
      row.state,
      tokens(row.ledger_input_tokens, row.ledger_output_tokens),
      tokens(row.billed_input_tokens, row.billed_output_tokens),
    ]);
    await print(terminal, layTable(columns, rows, options).join('\n'));
  }
  if (orphans.length > 0) {
    const columns: Column[] = [{ header: 'ORPHAN AT', least: 6 }, { header: 'KIND' }, { header: 'ID', least: 12 }];
    const rows = orphans.map(({ provider, kind, id, live }) => [provider, live ? `${kind}, live` : kind, id]);
    await print(terminal, layTable(columns, rows, options).join('\n'));
  }
  for (const { provider, reason } of unreachable) await print(terminal, printable(`${provider}: ${reason}`));
  const equal = data.filter(({ state }) => state === 'equal').length;
  const untold = data.filter(({ state }) => state === 'not_told' || state === 'removed').length;
  await print(
    terminal,
    `${formatCount(data.length)} provider batches: ${formatCount(equal)} equal, ${formatCount(untold)} of which nothing is told; ${plural(orphans.length, 'orphan')}.`,
  );
}

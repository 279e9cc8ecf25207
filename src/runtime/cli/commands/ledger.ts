import { LEDGER_GROUPS, type LedgerEntryObject, type LedgerFigures } from '../../../protocol/ledger.ts';
import type { Page } from '../../../protocol/page.ts';
import { type Api, withApi } from '../api.ts';
import { EXIT, trouble, wrongUse } from '../exit.ts';
import { alignSums, formatBytes, formatCount, formatTime } from '../figures.ts';
import type { ledgerArguments, Parsed } from '../options.ts';
import { printableJson, printableLines } from '../printable.ts';
import { checkWritable, saveAnswer } from '../save-output.ts';
import { type Column, layTable } from '../table.ts';
import { note, print, type Terminal } from '../terminal.ts';

type Arguments = Parsed<typeof ledgerArguments>;

const EXPORTS = ['csv', 'jsonl', 'parquet'];
const FORMATS = ['table', 'json', ...EXPORTS];
const FILTERS = ['batch', 'provider', 'model', 'tag', 'from', 'to'] as const;
const DEFAULT_GROUPS = 'provider,model';
const ENTRIES_SHOWN = 100;

/** `weir ledger`: sums by default, single entries with `--entries`; csv, jsonl and parquet hold every row. */
export async function ledger(terminal: Terminal, args: Arguments): Promise<number> {
  const format = args.json ? 'json' : (args.format ?? 'table');
  if (!FORMATS.includes(format)) throw wrongUse(`--format must be one of ${FORMATS.join(', ')}.`, 'format');
  await checkTarget(terminal, format, args.out);
  if (args.entries && args['group-by'] !== undefined) {
    throw wrongUse('--entries shows single entries; leave --group-by out.', 'group-by');
  }
  const groups = args['group-by'] ?? DEFAULT_GROUPS;
  const query = new URLSearchParams();
  for (const name of FILTERS) if (args[name] !== undefined) query.set(name, args[name]);
  if (!args.entries) query.set('group_by', groups);
  const path = args.entries ? '/v1/ledger/entries' : '/v1/ledger/summary';
  return withApi(terminal, async (api) => {
    if (EXPORTS.includes(format)) {
      query.set('format', format);
      await exportTo(terminal, api, `${path}?${query}`, args.out);
    } else if (args.entries) await showEntries(terminal, api, query, format === 'json');
    else await showSums(terminal, api, query, format === 'json', groups);
    return EXIT.done;
  });
}

/** Parquet would leave a terminal unusable. Throws CliError. */
async function checkTarget(terminal: Terminal, format: string, out: string | undefined): Promise<void> {
  if (out === undefined) {
    if (format !== 'parquet' || !terminal.out.isTty) return;
    throw wrongUse('Parquet is no text: add --out FILE, or redirect it to a file.', 'out');
  }
  if (!EXPORTS.includes(format)) throw wrongUse(`--out needs --format ${EXPORTS.join(', ')}.`, 'format');
  if (out === '') throw wrongUse('--out needs a file name.', 'out');
  await checkWritable(out, 'out');
}

async function exportTo(terminal: Terminal, api: Api, path: string, out: string | undefined): Promise<void> {
  if (out !== undefined) {
    const { bytes } = await saveAnswer(terminal, out, (signal) => rowsOf(api, path, signal));
    return print(terminal, `${formatBytes(bytes)} written to ${out}`);
  }
  const decoder = new TextDecoder();
  for await (const chunk of await rowsOf(api, path)) {
    await terminal.out.write(terminal.out.isTty ? printableLines(decoder.decode(chunk, { stream: true })) : chunk);
  }
}

async function rowsOf(api: Api, path: string, signal?: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
  const { body } = await api.stream(path, signal);
  if (body === null) throw trouble('The server sent no rows.');
  return body;
}

interface Summary {
  data: (LedgerFigures & Record<string, string | number | null>)[];
  total: LedgerFigures;
}

async function showSums(
  terminal: Terminal,
  api: Api,
  query: URLSearchParams,
  json: boolean,
  groupBy: string,
): Promise<void> {
  const summary = await api.get<Summary>(`/v1/ledger/summary?${query}`);
  if (json) return print(terminal, printableJson(JSON.stringify(summary, null, 2)));
  if (summary.data.length === 0) return print(terminal, 'There are no ledger entries that match.');
  const groups = groupBy.split(',').map((name) => name.trim().split(':')[0] ?? '');
  const columns: Column[] = [
    ...groups.map((name) => ({ header: name.toUpperCase(), least: 8 })),
    { header: 'ENTRIES', align: 'right' },
    { header: 'TOKENS IN', align: 'right' },
    { header: 'TOKENS OUT', align: 'right' },
    { header: 'COST USD', align: 'right' },
  ];
  const figures: LedgerFigures[] = [...summary.data, summary.total];
  const amounts = alignSums(
    figures.map(({ amount_nano_usd: nano, unpriced_entries: unpriced }) => ({ nano, unpriced })),
  );
  const labels = [...summary.data.map((row) => groups.map((name) => labelOf(name, row[name]))), ['total']];
  const rows = figures.map((row, index) => [
    ...groups.map((_, group) => labels[index]?.[group] ?? ''),
    formatCount(row.entries),
    formatCount(row.input_tokens),
    formatCount(row.output_tokens),
    amounts[index] ?? '',
  ]);
  const options = { width: terminal.out.columns, paint: terminal.out.paint, hasTotal: true };
  await print(terminal, layTable(columns, rows, options).join('\n'));
  const unpriced = summary.total.unpriced_entries;
  if (unpriced > 0)
    await print(terminal, `* ${formatCount(unpriced)} entries without a known price are not in the sum`);
}

function labelOf(group: string, value: string | number | null | undefined): string {
  if (value === null || value === undefined) return '–';
  const isTime = (group === 'hour' || group === 'day') && LEDGER_GROUPS.includes(group) && typeof value === 'number';
  if (!isTime) return String(value);
  // Hours and days begin in UTC, so they are named in UTC.
  return new Date(value * 1000)
    .toISOString()
    .slice(0, group === 'day' ? 10 : 16)
    .replace('T', ' ');
}

async function showEntries(terminal: Terminal, api: Api, query: URLSearchParams, json: boolean): Promise<void> {
  query.set('limit', String(ENTRIES_SHOWN));
  const page = await api.get<Page<LedgerEntryObject>>(`/v1/ledger/entries?${query}`);
  if (json) await print(terminal, printableJson(JSON.stringify(page, null, 2)));
  else if (page.data.length === 0) await print(terminal, 'There are no ledger entries that match.');
  else {
    const columns: Column[] = [
      { header: 'TIME' },
      { header: 'TARGET', least: 10 },
      { header: 'CUSTOM ID', least: 9 },
      { header: 'TRY', align: 'right' },
      { header: 'STATUS', least: 6 },
      { header: 'COST USD', align: 'right' },
    ];
    const rows = page.data.map((entry) => [
      formatTime(entry.created_at).slice(5),
      entry.target,
      entry.custom_id ?? '–',
      String(entry.attempt),
      entry.status_code === null ? entry.status : `${entry.status} ${entry.status_code}`,
      entry.amount_usd ?? 'unpriced',
    ]);
    const options = { width: terminal.out.columns, paint: terminal.out.paint };
    await print(terminal, layTable(columns, rows, options).join('\n'));
  }
  if (page.has_more)
    await note(terminal, `The latest ${ENTRIES_SHOWN}; --format csv, jsonl or parquet holds every entry.`);
}

/** Prices from a CSV file: one model a line, USD per million tokens (searches: per call). */
import type { ListedPrice } from './price-import.ts';

/** The names a column may have, and the rate it states. */
const COLUMNS: Readonly<Record<string, string>> = {
  input: 'input',
  output: 'output',
  cache_read: 'cached_input',
  cached_input: 'cached_input',
  cache_write: 'cache_write',
  cache_write_1h: 'cache_write_1h',
  reasoning: 'reasoning',
  audio_in: 'input_audio',
  input_audio: 'input_audio',
  cached_audio: 'cached_audio',
  audio_out: 'output_audio',
  output_audio: 'output_audio',
  input_image: 'input_image',
  output_image: 'output_image',
  web_search: 'web_search',
  file_search: 'file_search',
};

const PRICE = /^\d{1,6}(\.\d{1,9})?$/;

export interface CsvPrices {
  prices: ListedPrice[];
  /** What cannot be read, with its line; then nothing should be done. */
  problems: string[];
}

/** Reads a price list. The header names `provider`, `model` and rates; a `batch_` before a rate makes it the batch's. */
export function readPriceCsv(text: string): CsvPrices {
  const [header, ...rows] = parseCsv(text);
  if (header === undefined) return { prices: [], problems: ['the file is empty'] };
  const names = header.map((name) => name.trim().toLowerCase());
  const problems = headerProblems(names);
  const prices: ListedPrice[] = [];
  for (const [index, row] of rows.entries()) {
    if (row.every((cell) => cell.trim() === '')) continue;
    const cells = new Map(names.map((name, column) => [name, row[column]?.trim() ?? '']));
    const found = readRow(cells, `line ${index + 2}`);
    if ('problems' in found) problems.push(...found.problems);
    else prices.push(found);
  }
  return { prices, problems };
}

function headerProblems(names: readonly string[]): string[] {
  const missing = ['provider', 'model', 'input', 'output'].filter((name) => !names.includes(name));
  const unknown = names.filter((name) => name !== 'provider' && name !== 'model' && rateOf(name) === null);
  return [
    ...missing.map((name) => `line 1: there is no column ${name}`),
    ...unknown.map(
      (name) => `line 1: there is no rate ${name}; rates are ${Object.keys(COLUMNS).join(', ')}, batch_input, …`,
    ),
  ];
}

function rateOf(name: string): { isBatch: boolean; rate: string } | null {
  const isBatch = name.startsWith('batch_');
  const rate = COLUMNS[isBatch ? name.slice('batch_'.length) : name];
  return rate === undefined ? null : { isBatch, rate };
}

function readRow(cells: ReadonlyMap<string, string>, line: string): ListedPrice | { problems: string[] } {
  const standard: Record<string, string> = {};
  const batch: Record<string, string> = {};
  const problems: string[] = [];
  for (const [name, cell] of cells) {
    const known = rateOf(name);
    if (known === null || cell === '') continue;
    if (!PRICE.test(cell))
      problems.push(`${line}: ${name} must be a decimal with at most nine decimals, not ${cell.slice(0, 40)}`);
    (known.isBatch ? batch : standard)[known.rate] = cell;
  }
  const provider = cells.get('provider') ?? '';
  const model = cells.get('model') ?? '';
  if (provider === '' || model === '') problems.push(`${line}: provider and model must be named`);
  for (const rate of ['input', 'output']) {
    if (standard[rate] === undefined) problems.push(`${line}: ${rate} is missing`);
    if (Object.keys(batch).length > 0 && batch[rate] === undefined) problems.push(`${line}: batch_${rate} is missing`);
  }
  if (problems.length > 0) return { problems };
  return { provider, model, standard, ...(Object.keys(batch).length > 0 && { batch }) };
}

/** RFC 4180: cells in quotes may hold commas, doubled quotes and line ends. */
export function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  const cell = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|\n|\r|$)/y;
  let row: string[] = [];
  cell.lastIndex = text.startsWith('\ufeff') ? 1 : 0;
  while (cell.lastIndex < text.length) {
    const at = cell.lastIndex;
    const match = cell.exec(text);
    // A stray quote: the rest of the line is taken as it stands.
    if (match === null) {
      const end = text.indexOf('\n', at);
      row.push(text.slice(at, end < 0 ? text.length : end));
      cell.lastIndex = end < 0 ? text.length : end + 1;
      rows.push(row);
      row = [];
      continue;
    }
    row.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
    if (match[3] === ',') continue;
    rows.push(row);
    row = [];
  }
  if (row.length > 0) rows.push(row);
  return rows;
}

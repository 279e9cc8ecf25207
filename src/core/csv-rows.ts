import { parseCsv } from './price-csv.ts';

/** Rows of a CSV text that comes in pieces, in bounded memory; cells in quotes may hold commas and line ends. */
export async function* csvRows(pieces: AsyncIterable<string>): AsyncGenerator<string[]> {
  let rest = '';
  for await (const piece of pieces) {
    rest += piece;
    const end = lastRowEnd(rest);
    if (end === 0) continue;
    yield* parseCsv(rest.slice(0, end));
    rest = rest.slice(end);
  }
  yield* parseCsv(rest);
}

/** The end of the last whole row: a line end with an even number of quotes before it. 0 for none. */
function lastRowEnd(text: string): number {
  let quotes = 0;
  let end = 0;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code === 0x22) quotes += 1;
    else if (code === 0x0a && quotes % 2 === 0) end = index + 1;
  }
  return end;
}

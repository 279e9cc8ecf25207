import { createReadStream } from 'node:fs';
import { type Fields, isFields } from '../../../core/fields.ts';
import { LineFramer } from '../../../core/jsonl.ts';
import { wrongUse } from '../exit.ts';

const LINE_BYTES_MAX = 64 * 1024 * 1024;

/** A line of a JSONL file: its 1-based number, and the object that it holds. */
export interface JsonLine {
  number: number;
  value: Fields;
}

/** The objects of a JSONL file, blank lines left out, in bounded memory. Throws CliError that names the line. */
export async function* readJsonLines(path: string, option = 'file'): AsyncGenerator<JsonLine> {
  let found: JsonLine[] = [];
  let number = 0;
  const framer = new LineFramer(LINE_BYTES_MAX, (bytes) => {
    number += 1;
    if (bytes === null) throw wrongUse(`Line ${number} of ${path} is longer than 64 MB.`, option);
    if (bytes.some((byte) => byte > 0x20))
      found.push({ number, value: parseLine(bytes, `Line ${number} of ${path}`, option) });
  });
  for await (const chunk of createReadStream(path) as AsyncIterable<Uint8Array>) {
    framer.push(chunk);
    yield* found;
    found = [];
  }
  framer.end();
  yield* found;
}

function parseLine(bytes: Uint8Array, where: string, option: string): Fields {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw wrongUse(`${where} is no JSON in UTF-8. The file has one JSON object per line.`, option);
  }
  if (isFields(value)) return value;
  throw wrongUse(`${where} is JSON, but no object. The file has one JSON object per line.`, option);
}

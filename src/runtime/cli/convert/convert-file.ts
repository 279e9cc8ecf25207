import { createReadStream } from 'node:fs';
import { LineFramer } from '../../../core/jsonl.ts';
import { lineTooLong, looksLikeJson } from '../../../core/validate-input.ts';
import { wrongUse } from '../exit.ts';
import type { Conversion, RefusedLine } from './conversion.ts';

const LINE_BYTES_MAX = 64 * 1024 * 1024;
const READ_BYTES = 64 * 1024;

/**
 * The native lines of a batch file, a chunk of the file at a time; `tell` hears of the lines that have none. Throws
 * CliError when the file holds no requests at all.
 */
export async function* convertFile(
  path: string,
  conversion: Conversion,
  tell: (refused: RefusedLine[]) => Promise<void>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let number = 0;
  let sawText = false;
  let native: string[] = [];
  let refused: RefusedLine[] = [];
  const framer = new LineFramer(LINE_BYTES_MAX, (bytes, _offset, length) => {
    number += 1;
    if (bytes !== null && !bytes.some((byte) => byte > 0x20)) return;
    if (!sawText && bytes !== null && !looksLikeJson(bytes)) {
      throw wrongUse(`Line ${number} of ${path} is no JSON. A batch file has one JSON request per line.`, 'file');
    }
    sawText = true;
    const made =
      bytes === null
        ? conversion.refuse(number, null, lineTooLong(number, length, LINE_BYTES_MAX))
        : conversion.add(bytes, number);
    if (typeof made === 'string') native.push(made);
    else if (made !== null) refused.push(made);
  });
  const taken = async () => {
    await tell(refused);
    const text = native.join('');
    native = [];
    refused = [];
    return Buffer.from(text);
  };
  for await (const chunk of createReadStream(path, {
    highWaterMark: READ_BYTES,
    signal,
  }) as AsyncIterable<Uint8Array>) {
    framer.push(chunk);
    if (native.length + refused.length > 0) yield await taken();
  }
  framer.end();
  if (native.length + refused.length > 0) yield await taken();
  if (!sawText) throw wrongUse(`${path} holds no lines. A batch file has one JSON request per line.`, 'file');
}

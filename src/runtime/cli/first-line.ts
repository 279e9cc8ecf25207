import { createReadStream } from 'node:fs';
import { LineFramer } from '../../core/jsonl.ts';
import { ENDPOINTS, type Endpoint, parseEndpoint } from '../../protocol/endpoint.ts';
import { wrongUse } from './exit.ts';

const LINE_BYTES_MAX = 64 * 1024 * 1024;
const FORM = 'A batch file has one JSON request per line.';

/** The endpoint of a batch file: the one that `asked` names, else its first line's. Throws CliError when there is none. */
export async function endpointOf(path: string, asked: string | undefined): Promise<Endpoint> {
  if (asked === undefined) return findEndpoint(path);
  const endpoint = parseEndpoint(asked);
  if (endpoint !== undefined) return endpoint;
  throw wrongUse(`--endpoint must be one of ${ENDPOINTS.join(', ')}.`, 'endpoint');
}

/** The endpoint that the first line of a batch file names. Throws CliError when it names none. */
export async function findEndpoint(path: string): Promise<Endpoint> {
  const first = await readFirstLine(path);
  if (first === null) throw wrongUse(`${path} holds no lines. ${FORM}`, 'file');
  const where = `Line ${first.number} of ${path}`;
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(first.bytes));
  } catch {
    throw wrongUse(otherKind(first.bytes, path) ?? `${where} is no JSON in UTF-8. ${FORM}`, 'file');
  }
  if (Array.isArray(value)) throw wrongUse(arrayFile(path), 'file');
  const url = (value as { url?: unknown } | null)?.url;
  const endpoint = typeof url === 'string' ? parseEndpoint(url) : undefined;
  if (endpoint !== undefined) return endpoint;
  throw wrongUse(`${where} has no url that Weir knows. Use one of ${ENDPOINTS.join(', ')}.`, 'file');
}

/** What the start of a file tells of the kind that it is in place of JSON lines, and what to do; null where it tells nothing. */
function otherKind(start: Uint8Array, path: string): string | null {
  const begins = (...bytes: number[]): boolean => bytes.every((byte, at) => start[at] === byte);
  if (begins(0x1f, 0x8b) || begins(0x50, 0x4b, 0x03, 0x04) || begins(0x28, 0xb5, 0x2f, 0xfd)) {
    return `${path} is compressed: unpack it first. ${FORM}`;
  }
  if (begins(0xff, 0xfe) || begins(0xfe, 0xff)) return `${path} is in UTF-16: save it as UTF-8.`;
  const text = Buffer.from(start).toString('latin1').trim();
  if (text.startsWith('[')) return arrayFile(path);
  if (text === '{') return `Line 1 of ${path} is no JSON in UTF-8. ${FORM} Write each on one line.`;
  return null;
}

function arrayFile(path: string): string {
  return `${path} holds a JSON array. ${FORM} Leave the brackets and the commas between the requests out.`;
}

/** The first line that is not blank, with its 1-based number; null when there is none. */
async function readFirstLine(path: string): Promise<{ bytes: Uint8Array; number: number } | null> {
  let found: { bytes: Uint8Array; number: number } | null = null;
  let number = 0;
  const framer = new LineFramer(LINE_BYTES_MAX, (bytes) => {
    number += 1;
    if (bytes === null) throw wrongUse(`Line ${number} of ${path} is longer than 64 MB.`, 'file');
    if (found === null && bytes.some((byte) => byte > 0x20)) found = { bytes: Uint8Array.from(bytes), number };
  });
  for await (const chunk of createReadStream(path) as AsyncIterable<Uint8Array>) {
    framer.push(chunk);
    if (found !== null) return found;
  }
  framer.end();
  return found;
}

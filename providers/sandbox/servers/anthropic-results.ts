import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { AnthropicServerSettings } from './anthropic-settings.ts';

/** Sends the lines of a batch as JSONL, no faster than they are read; `sent` is told of every write. */
export async function sendResults(
  response: ServerResponse,
  lines: Iterable<string>,
  settings: AnthropicServerSettings,
  sent: (bytes: number) => void,
): Promise<void> {
  const shown = settings.odd_lines ? withOddities(lines) : lines;
  if (settings.cut_results !== null) return sendCut(response, [...shown], settings.cut_results);
  response.writeHead(200, { 'content-type': 'application/x-jsonl' });
  const closed = new AbortController();
  response.once('close', () => closed.abort());
  for (const line of shown) {
    if (response.destroyed) return;
    const text = `${line}\n`;
    sent(Buffer.byteLength(text));
    if (response.write(text)) continue;
    await once(response, 'drain', { signal: closed.signal }).catch(() => undefined);
  }
  response.end();
}

/** A third of the body; then the connection breaks, or the body ends as if it were whole. */
function sendCut(response: ServerResponse, lines: readonly string[], how: 'announced' | 'unannounced'): void {
  const body = Buffer.from(lines.map((line) => `${line}\n`).join(''));
  const part = body.subarray(0, Math.floor(body.length * 0.3));
  if (how === 'unannounced') {
    response.writeHead(200, { 'content-type': 'application/x-jsonl' });
    response.end(part);
    return;
  }
  response.writeHead(200, { 'content-type': 'application/x-jsonl', 'content-length': String(body.length) });
  response.write(part, () => response.destroy());
}

function* withOddities(lines: Iterable<string>): Generator<string> {
  let first: string | null = null;
  for (const line of lines) {
    yield line;
    first ??= line;
    if (first === line) yield '';
  }
  if (first === null) return;
  const { result } = JSON.parse(first) as { result: unknown };
  yield first;
  yield JSON.stringify({ custom_id: 'somebody-else_1', result });
  yield JSON.stringify({ result });
  yield '{"custom_id":"broken","result":{"type":';
  yield '  ';
  // The last line is whole: one that is not would be a download that was cut.
  yield '';
}

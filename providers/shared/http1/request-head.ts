import { isHeaderValue, isToken } from '../../../src/core/header-text.ts';
import { remembered } from '../remembered.ts';

/** The name of a header that cannot be sent as it is. */
export class UnsendableHeader extends Error {}

/** About the connection, which is not the caller's, or about a body that is sent in one piece. */
const OURS = new Set([
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** What becomes of a name as callers write it: those of the configuration and of the formats, so they are few. */
const kindOf = remembered((name: string): 'sent' | 'host' | 'ours' => {
  if (!isToken(name)) throw new UnsendableHeader(name.replace(/[^\x20-\x7e]/g, '?'));
  const lower = name.toLowerCase();
  if (lower === 'host') return 'host';
  return OURS.has(lower) ? 'ours' : 'sent';
});

/**
 * The head of a request, with the empty line that ends it, in Latin-1. `path` is that of a URL, `host` its host and port;
 * `bodyBytes` is null where there is no body. Throws UnsendableHeader, so that no value can begin a header of its own.
 */
export function requestHead(
  { method, path, host }: { method: string; path: string; host: string },
  headers: Readonly<Record<string, string>>,
  bodyBytes: number | null,
): string {
  let named = host;
  let text = '';
  for (const name in headers) {
    const value = headers[name] ?? '';
    const kind = kindOf(name);
    if (!isHeaderValue(value)) throw new UnsendableHeader(name);
    if (kind === 'sent') text += `${name}: ${value}\r\n`;
    else if (kind === 'host') named = value;
  }
  if (bodyBytes !== null) text += `content-length: ${bodyBytes}\r\n`;
  return `${method} ${path} HTTP/1.1\r\nhost: ${named}\r\nconnection: keep-alive\r\n${text}\r\n`;
}

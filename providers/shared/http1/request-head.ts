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
  'proxy-authorization',
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

/** What a request goes to. `path` is that of a URL, or all of one for a proxy; `host` its host and port. */
interface Asked {
  method: string;
  path: string;
  host: string;
  /** Of Proxy-Authorization; null: nothing is said. */
  proxyAuthorization: string | null;
}

/** The beginning of a request's head, all but the length of its body, in Latin-1. Throws UnsendableHeader, so that no value can begin a header of its own. */
function headStart(
  { method, path, host, proxyAuthorization }: Asked,
  headers: Readonly<Record<string, string>>,
): string {
  let named = host;
  let text = proxyAuthorization === null ? '' : `proxy-authorization: ${proxyAuthorization}\r\n`;
  for (const name in headers) {
    const value = headers[name] ?? '';
    const kind = kindOf(name);
    if (!isHeaderValue(value)) throw new UnsendableHeader(name);
    if (kind === 'sent') text += `${name}: ${value}\r\n`;
    else if (kind === 'host') named = value;
  }
  return `${method} ${path} HTTP/1.1\r\nhost: ${named}\r\nconnection: keep-alive\r\n${text}`;
}

/** The heads of requests to one path of one server. */
export class RequestHeads {
  private readonly asked: Omit<Asked, 'method'>;
  private method = '';
  private headers: Readonly<Record<string, string>> | null = null;
  private start = '';

  constructor(path: string, host: string, proxyAuthorization: string | null = null) {
    this.asked = { path, host, proxyAuthorization };
  }

  /**
   * The head of a request, with the empty line that ends it, in Latin-1; `bodyBytes` is null where there is no body. Headers
   * that are frozen are mostly those of the request before, and then not written anew. Throws UnsendableHeader.
   */
  head(method: string, headers: Readonly<Record<string, string>>, bodyBytes: number | null): string {
    if (this.headers !== headers || this.method !== method) {
      this.headers = null;
      this.start = headStart({ method, ...this.asked }, headers);
      this.method = method;
      if (Object.isFrozen(headers)) this.headers = headers;
    }
    return bodyBytes === null ? `${this.start}\r\n` : `${this.start}content-length: ${bodyBytes}\r\n\r\n`;
  }
}

import { Buffer } from 'node:buffer';
import ipaddr from 'ipaddr.js';
import { addressOf, bareHost, type HttpAddress } from './http-address.ts';
import type { Checked, Problem } from './problems.ts';

/** An HTTP proxy that others are reached through. */
export interface HttpProxy extends HttpAddress {
  /** What the header `proxy-authorization` says; null: nothing. */
  authorization: string | null;
  /** With credentials. */
  url: string;
}

/** Which proxies lead out, as the environment says. */
export interface Proxies {
  /** null: reached directly. */
  of(url: URL): HttpProxy | null;
  /** Of what is not direct. */
  http: HttpProxy | null;
  https: HttpProxy | null;
  /** The same, in the words of Node.js. */
  environment: { http_proxy?: string; https_proxy?: string; no_proxy: string };
}

type Matches = (host: string, port: number) => boolean;

/** What never goes through a proxy, whatever NO_PROXY says: it would be the proxy's own machine. */
const LOOPBACK = ['localhost', '127.0.0.0/8', '::1'];

/**
 * Reads HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, as curl does: small letters go first; NO_PROXY is a list of names
 * (with their subdomains), addresses, blocks such as 10.0.0.0/8, each with a port or without, or `*`. null: none is set.
 * Messages never repeat a value, which may hold a password.
 */
export function readProxies(environment: Readonly<Record<string, string | undefined>>): Checked<Proxies | null> {
  const problems: Problem[] = [];
  const said = (name: string) => environment[name.toLowerCase()] || environment[name] || undefined;
  const read = (name: string): HttpProxy | null => {
    const value = said(name);
    if (value === undefined) return null;
    const proxy = parseProxy(value);
    if (proxy === null) {
      problems.push({ path: name, message: 'must be the http(s) URL of a proxy, such as http://proxy.example:3128' });
    }
    return proxy;
  };
  const [http, https, all] = [read('HTTP_PROXY'), read('HTTPS_PROXY'), read('ALL_PROXY')];
  if (problems.length > 0) return { ok: false, problems };
  const [forHttp, forHttps] = [http ?? all, https ?? all];
  if (forHttp === null && forHttps === null) return { ok: true, value: null };

  const direct = [...LOOPBACK, ...(said('NO_PROXY') ?? '').split(/[\s,]+/).filter((entry) => entry !== '')];
  const matches = direct.map(matcherOf);
  return {
    ok: true,
    value: {
      of(url) {
        const { isTls, hostname, port } = addressOf(url);
        return matches.some((isDirect) => isDirect(hostname, port)) ? null : isTls ? forHttps : forHttp;
      },
      http: forHttp,
      https: forHttps,
      environment: {
        ...(forHttp && { http_proxy: forHttp.url }),
        ...(forHttps && { https_proxy: forHttps.url }),
        no_proxy: direct.flatMap(nodeEntries).join(','),
      },
    },
  };
}

function parseProxy(value: string): HttpProxy | null {
  const text = value.includes('://') ? value : `http://${value}`;
  if (!URL.canParse(text)) return null;
  const url = new URL(text);
  const { protocol, username, password, origin } = url;
  if (!/^https?:$/.test(protocol) || url.hostname === '') return null;
  const [user, secret] = [decode(username), decode(password)];
  const login = username === '' ? '' : `${encodeURIComponent(user)}:${encodeURIComponent(secret)}@`;
  return {
    ...addressOf(url),
    authorization: username === '' ? null : `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}`,
    url: origin.replace('://', `://${login}`),
  };
}

/** As it was meant where it is no code: a password may hold a bare `%`. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function matcherOf(entry: string): Matches {
  if (entry === '*') return () => true;
  const { name, port } = partsOf(entry);
  const isHere: (host: string) => boolean = ipaddr.isValidCIDR(name)
    ? (host) => ipaddr.isValid(host) && isWithin(ipaddr.process(host), ipaddr.parseCIDR(name))
    : ipaddr.isValid(name)
      ? (host) => ipaddr.isValid(host) && ipaddr.process(host).toString() === ipaddr.process(name).toString()
      : (host) => host === name || host.endsWith(`.${name}`);
  return (host, asked) => (port === null || port === asked) && isHere(host);
}

function isWithin(address: ipaddr.IPv4 | ipaddr.IPv6, [network, bits]: [ipaddr.IPv4 | ipaddr.IPv6, number]): boolean {
  return address.kind() === network.kind() && address.match(network, bits);
}

/** `*.example.com`, `.example.com` and `example.com` are one; a port stands behind a name, an IPv4 address or brackets. */
function partsOf(entry: string): { name: string; port: number | null } {
  const [, name = entry, port] = /^(\[[^\]]*\]|[^:]*):(\d+)$/.exec(entry) ?? [];
  const bare = bareHost(name).replace(/^\*?\./, '');
  return { name: bare, port: port === undefined ? null : Number(port) };
}

/** Node.js knows exact names, endings, addresses and ranges of IPv4 addresses. */
function nodeEntries(entry: string): string[] {
  if (entry === '*') return ['*'];
  const { name, port } = partsOf(entry);
  const end = port === null ? '' : `:${port}`;
  if (ipaddr.IPv4.isValidCIDR(name)) {
    return [`${ipaddr.IPv4.networkAddressFromCIDR(name)}-${ipaddr.IPv4.broadcastAddressFromCIDR(name)}`];
  }
  return ipaddr.isValid(name) ? [`${name}${end}`] : [`${name}${end}`, `.${name}${end}`];
}

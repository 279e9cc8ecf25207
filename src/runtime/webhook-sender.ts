import { lookup as systemLookup } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import type { Agent } from 'undici';
import { toFailure } from '../../providers/shared/http-fetch.ts';
import { hostOf } from '../core/http-address.ts';
import type { HttpProxy, Proxies } from '../core/proxies.ts';
import { isPublicAddress, NOT_PUBLIC, readWebhookUrl } from '../core/webhook-url.ts';
import { HttpFailure } from '../ports/http-client.ts';
import { DELIVERY_TIMEOUT_MS, type WebhookPost, WebhookRefusal, type WebhookSender } from '../ports/webhook-sender.ts';
import { type ProxiedTarget, tunnelConnector } from './webhook-proxy.ts';

interface Address {
  address: string;
  family: number;
}

/** All addresses of a host name. */
export type Resolve = (host: string) => Promise<Address[]>;

export interface WebhookWays {
  /** What leads out; null: nothing is in between. */
  proxies?: Proxies | null;
  /** The proxy resolves names, and the operator answers for where it leads. */
  proxyResolves?: boolean;
  resolve?: Resolve;
}

/** Answers are read so far, and no further: nobody looks at them. */
const ANSWER_BYTES_MAX = 16_384;
const CONNECT_MS = 5_000;
const OPTIONS = { allowH2: false, keepAliveTimeout: 1_000 };

/**
 * Node's: each connection is made to an address that was found to be public when the connection was made; a proxy is asked
 * for that address. `allowed`: hosts that may have any.
 */
export function createWebhookSender(allowed: ReadonlySet<string>, ways: WebhookWays = {}): WebhookSender {
  const { proxies = null, proxyResolves = false, resolve = systemAddresses } = ways;
  const addressesOf = async (host: string): Promise<Address[]> => {
    const addresses = await resolve(host);
    // A name with one address inside and one outside is as suspicious as one inside.
    const safe = allowed.has(host.toLowerCase()) || addresses.every(({ address }) => isPublicAddress(address));
    if (!safe) throw new WebhookRefusal(NOT_PUBLIC);
    return addresses;
  };
  /** What a proxy is asked for. By its name it would look a host up anew, and may be told another address. */
  const askedOf = async (host: string): Promise<string> => {
    if (isIP(host) !== 0 || allowed.has(host)) return host;
    const addresses = await addressesOf(host).catch((error: unknown) => {
      // Only the proxy may know names of the outside.
      if (error instanceof WebhookRefusal || !proxyResolves) throw error;
      return [];
    });
    if (proxyResolves) return host;
    const found = addresses.find(({ family }) => family === 4) ?? addresses[0];
    if (found === undefined) throw Object.assign(new Error('no address'), { code: 'ENOTFOUND' });
    return found.address;
  };
  const targetOf = async (url: URL): Promise<ProxiedTarget> => {
    const proxy = proxies?.of(url) ?? null;
    if (proxy === null) throw new Error('no proxy leads there');
    return { proxy, host: await askedOf(hostOf(url)) };
  };
  let opened: Promise<Agents> | null = null;
  return {
    async check(text) {
      const url = read(text, allowed);
      const host = hostOf(url);
      // The addresses of literals are in the URL.
      if (isIP(host) !== 0) return;
      const isDirect = (proxies?.of(url) ?? null) === null;
      await (isDirect ? addressesOf(host) : askedOf(host)).catch((error: unknown) => {
        if (error instanceof WebhookRefusal) throw error;
        throw new WebhookRefusal(isDirect ? UNRESOLVED : `${UNRESOLVED}. ${OR_BY_PROXY}`);
      });
    },
    async post(request) {
      const url = read(request.url, allowed);
      opened ??= openAgents(lookupOf(addressesOf), targetOf);
      return post(await opened, url, proxies?.of(url) ?? null, request);
    },
    async close() {
      const agents = await opened?.catch(() => null);
      for (const agent of Object.values(agents ?? {})) await agent.destroy();
    },
  };
}

const UNRESOLVED = 'its host name does not resolve. Check it, or try again later';
const OR_BY_PROXY = 'Where only the proxy knows it, an operator can set `webhooks.proxy_resolves` of the config';

interface Agents extends Record<string, Agent> {
  direct: Agent;
  /** By TLS through a proxy, which knows no more than the host. */
  tunneled: Agent;
  /** To the proxies themselves, which are told the whole URL; of allowed hosts alone, as all else is by TLS. */
  forwarding: Agent;
}

/** Undici is megabytes, which a server without webhooks need not read. */
async function openAgents(lookup: LookupFunction, targetOf: (url: URL) => Promise<ProxiedTarget>): Promise<Agents> {
  const { Agent } = await import('undici');
  return {
    direct: new Agent({ ...OPTIONS, connect: { timeout: CONNECT_MS, lookup } }),
    tunneled: new Agent({ ...OPTIONS, connect: tunnelConnector(targetOf, CONNECT_MS) }),
    forwarding: new Agent({ ...OPTIONS, connect: { timeout: CONNECT_MS } }),
  };
}

function lookupOf(addressesOf: Resolve): LookupFunction {
  return (host, options, done) => {
    addressesOf(host).then(
      (addresses) => {
        if (options.all === true) done(null, addresses);
        else done(null, addresses[0]?.address ?? '', addresses[0]?.family);
      },
      (error: Error) => done(error, []),
    );
  };
}

async function post(
  { direct, tunneled, forwarding }: Agents,
  url: URL,
  proxy: HttpProxy | null,
  { headers, body, signal }: WebhookPost,
): Promise<{ status: number }> {
  const deadline = AbortSignal.timeout(DELIVERY_TIMEOUT_MS);
  const rest = { method: 'POST' as const, body, signal: AbortSignal.any([signal, deadline]) };
  const { origin } = url;
  const path = url.pathname + url.search;
  try {
    const answer =
      proxy === null || url.protocol === 'https:'
        ? await (proxy === null ? direct : tunneled).request({ ...rest, origin, path, headers })
        : await forwarding.request({
            ...rest,
            origin: new URL(proxy.url).origin,
            path: origin + path,
            headers: { ...headers, host: url.host, ...passwordOf(proxy) },
          });
    // The status is the outcome: what is wrong with the rest does not change it.
    await answer.body.dump({ limit: ANSWER_BYTES_MAX }).catch(() => undefined);
    return { status: answer.statusCode };
  } catch (error) {
    if (error instanceof WebhookRefusal || error instanceof HttpFailure) throw error;
    throw toFailure(new Error('no answer', { cause: error }), deadline.aborted, signal.aborted);
  }
}

function passwordOf({ authorization }: HttpProxy): Record<string, string> {
  return authorization === null ? {} : { 'proxy-authorization': authorization };
}

function read(text: string, allowed: ReadonlySet<string>): URL {
  const checked = readWebhookUrl(text, allowed);
  if (!checked.ok) throw new WebhookRefusal(checked.problem);
  return checked.url;
}

function systemAddresses(host: string): Promise<Address[]> {
  return systemLookup(host, { all: true });
}

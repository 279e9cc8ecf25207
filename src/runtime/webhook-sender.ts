import { lookup as systemLookup } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import type { Agent } from 'undici';
import { toFailure } from '../../providers/shared/http-fetch.ts';
import { hostOf } from '../core/http-address.ts';
import { isPublicAddress, NOT_PUBLIC, readWebhookUrl } from '../core/webhook-url.ts';
import { DELIVERY_TIMEOUT_MS, type WebhookPost, WebhookRefusal, type WebhookSender } from '../ports/webhook-sender.ts';

interface Address {
  address: string;
  family: number;
}

/** All addresses of a host name. */
export type Resolve = (host: string) => Promise<Address[]>;

/** Answers are read so far, and no further: nobody looks at them. */
const ANSWER_BYTES_MAX = 16_384;
const CONNECT_MS = 5_000;

/** Node's: each connection is made to an address that was found to be public when the connection was made. */
export function createWebhookSender(allowed: ReadonlySet<string>, resolve: Resolve = systemAddresses): WebhookSender {
  const addressesOf = async (host: string): Promise<Address[]> => {
    const addresses = await resolve(host);
    // A name with one address inside and one outside is as suspicious as one inside.
    const safe = allowed.has(host.toLowerCase()) || addresses.every(({ address }) => isPublicAddress(address));
    if (!safe) throw new WebhookRefusal(NOT_PUBLIC);
    return addresses;
  };
  const lookup: LookupFunction = (host, options, done) => {
    addressesOf(host).then(
      (addresses) => {
        if (options.all === true) done(null, addresses);
        else done(null, addresses[0]?.address ?? '', addresses[0]?.family);
      },
      (error: Error) => done(error, []),
    );
  };
  let opened: Promise<Agent> | null = null;
  return {
    async check(text) {
      const host = hostOf(read(text, allowed));
      // The addresses of literals are in the URL.
      if (isIP(host) !== 0) return;
      await addressesOf(host).catch((error: unknown) => {
        if (error instanceof WebhookRefusal) throw error;
        throw new WebhookRefusal('its host name does not resolve. Check it, or try again later');
      });
    },
    async post(request) {
      const url = read(request.url, allowed);
      opened ??= openAgent(lookup);
      return post(await opened, url, request);
    },
    close: async () => (await opened?.catch(() => null))?.destroy(),
  };
}

/** Undici is megabytes, which a server without webhooks need not read. */
async function openAgent(lookup: LookupFunction): Promise<Agent> {
  const { Agent } = await import('undici');
  return new Agent({ allowH2: false, connect: { timeout: CONNECT_MS, lookup }, keepAliveTimeout: 1_000 });
}

async function post(agent: Agent, url: URL, { headers, body, signal }: WebhookPost): Promise<{ status: number }> {
  const deadline = AbortSignal.timeout(DELIVERY_TIMEOUT_MS);
  try {
    const answer = await agent.request({
      origin: url.origin,
      path: url.pathname + url.search,
      method: 'POST',
      headers,
      body,
      signal: AbortSignal.any([signal, deadline]),
    });
    // The status is the outcome: what is wrong with the rest does not change it.
    await answer.body.dump({ limit: ANSWER_BYTES_MAX }).catch(() => undefined);
    return { status: answer.statusCode };
  } catch (error) {
    if (error instanceof WebhookRefusal) throw error;
    throw toFailure(new Error('no answer', { cause: error }), deadline.aborted, signal.aborted);
  }
}

function read(text: string, allowed: ReadonlySet<string>): URL {
  const checked = readWebhookUrl(text, allowed);
  if (!checked.ok) throw new WebhookRefusal(checked.problem);
  return checked.url;
}

function systemAddresses(host: string): Promise<Address[]> {
  return systemLookup(host, { all: true });
}

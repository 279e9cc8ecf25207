import ipaddr from 'ipaddr.js';
import { hostOf } from './http-address.ts';

/** Azure's platform address: public by its number, and not to be reached by what others name. */
const PLATFORM_ADDRESSES: ReadonlySet<string> = new Set(['168.63.129.16']);
/** Names that never lead to the public internet. */
const LOCAL_NAME = /(^|\.)(localhost|local|internal|localdomain|home\.arpa|intranet|lan)\.?$/;

/**
 * Whether an IP address is one of the public internet: not loopback, private, link-local (which cloud metadata is),
 * shared, reserved or multicast, nor a form of IPv6 that another network translates into such an address.
 */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.process(address);
  return parsed.range() === 'unicast' && !PLATFORM_ADDRESSES.has(parsed.toString());
}

export type WebhookUrl = { ok: true; url: URL } | { ok: false; problem: string };

/**
 * Reads where a tenant wants to be told of events. `allowed`: hosts that the operator lets webhooks reach whatever their
 * address, over http too. What a name resolves to is for whoever connects to look at.
 */
export function readWebhookUrl(text: string, allowed: ReadonlySet<string>): WebhookUrl {
  const refuse = (problem: string): WebhookUrl => ({ ok: false, problem });
  if (!URL.canParse(text)) return refuse('it is no URL. Use one such as https://example.com/hooks');
  const url = new URL(text);
  const host = hostOf(url);
  const isAllowed = allowed.has(host);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isAllowed)) return refuse('it must be an https URL');
  if (url.username !== '' || url.password !== '') return refuse('it must hold no user name and no password');
  if (url.hash !== '') return refuse('it must have no part after #');
  if (isAllowed) return { ok: true, url };
  const isLocal = ipaddr.isValid(host) ? !isPublicAddress(host) : LOCAL_NAME.test(host) || !host.includes('.');
  return isLocal ? refuse(NOT_PUBLIC) : { ok: true, url };
}

/** What is said of a host that is not, or does not resolve to, a public address. */
export const NOT_PUBLIC =
  'its host is not on the public internet. An operator can let webhooks reach it with `webhooks.allow_hosts` of the config';

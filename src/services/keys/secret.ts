import { hash, timingSafeEqual } from 'node:crypto';
import { base62 } from '../../core/ids.ts';
import type { Random } from '../../ports/random.ts';

const prefix = 'weir_';
const secretBytes = 32;
const secretPattern = /^weir_[0-9A-Za-z]{43}$/;

/** How much of a secret is kept to recognise a key by: the fixed prefix and 6 of 43 characters. */
const shownCharacters = prefix.length + 6;

/** A new API key: `weir_` and 256 random bits in base 62. */
export function newSecret(random: Random): string {
  return prefix + base62(random.bytes(secretBytes));
}

/** Whether the text can be one of our secrets at all. */
export function isSecret(text: string): boolean {
  return secretPattern.test(text);
}

/** What is stored in place of the secret: lower-case hex SHA-256. It needs no salt, for the secret is no password. */
export function hashSecret(secret: string): string {
  return hash('sha256', secret, 'hex');
}

export function secretPrefix(secret: string): string {
  return secret.slice(0, shownCharacters);
}

/** Compares two hex hashes in constant time. */
export function sameHash(left: string, right: string): boolean {
  const a = Buffer.from(left, 'hex');
  const b = Buffer.from(right, 'hex');
  return a.length === b.length && a.length > 0 && timingSafeEqual(a, b);
}

/** Compares two secrets in a time that tells nothing but whether their lengths are the same. */
export function sameSecret(left: string, right: string): boolean {
  if (left.length !== right.length) return false;
  let differing = 0;
  for (let at = 0; at < left.length; at++) differing |= left.charCodeAt(at) ^ right.charCodeAt(at);
  return differing === 0;
}

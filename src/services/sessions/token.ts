import { createHash } from 'node:crypto';
import { base62 } from '../../core/ids.ts';
import type { Random } from '../../ports/random.ts';

const TOKEN_BYTES = 32;
const TOKEN_PATTERN = /^[0-9A-Za-z]{43}$/;

/** A new session's token: 256 random bits in base 62. */
export function newToken(random: Random): string {
  return base62(random.bytes(TOKEN_BYTES));
}

export function isToken(text: string): boolean {
  return TOKEN_PATTERN.test(text);
}

/**
 * What a session of the operator's own key keeps of it. Without the token it tells nothing of the key, whose hash may
 * be that of a weak secret.
 */
export function operatorProof(token: string, adminKeyHash: string): string {
  return createHash('sha256').update(`${token} ${adminKeyHash}`, 'utf8').digest('hex');
}

import { createHash } from 'node:crypto';
import type { Context } from '../../ports/deps.ts';

const SHOWN_CHARACTERS = 4;

/**
 * A new signing secret as Standard Webhooks writes it: `whsec_` and 256 bits in base 64, of two ids of 144 random bits each. A
 * call that is repeated under its Idempotency-Key makes the same one.
 */
export function newSigningSecret({ newId }: Pick<Context, 'newId'>): string {
  const bits = createHash('sha256')
    .update(`${newId('whe_')} ${newId('whe_')}`)
    .digest();
  return `whsec_${bits.toString('base64')}`;
}

/** The last few characters, to tell a secret from others. */
export function hintOf(secret: string): string {
  return `whsec_…${secret.slice(-SHOWN_CHARACTERS)}`;
}

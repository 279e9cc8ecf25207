import type { Random } from '../../ports/random.ts';

const SECRET_BYTES = 32;
const SHOWN_CHARACTERS = 4;

/** A new signing secret as Standard Webhooks writes it: `whsec_` and 256 random bits in base 64. */
export function newSigningSecret(random: Random): string {
  return `whsec_${Buffer.from(random.bytes(SECRET_BYTES)).toString('base64')}`;
}

/** The last few characters, to tell a secret from others. */
export function hintOf(secret: string): string {
  return `whsec_…${secret.slice(-SHOWN_CHARACTERS)}`;
}

/**
 * Message Batches have no name, no metadata and no idempotency key; the only text of ours that comes back is a request's
 * custom_id (`^[a-zA-Z0-9_-]{1,64}$`). So each one carries its key and, behind an underscore, which keys and tokens
 * cannot hold, the shard's token: itself where there is room, else a hash of it behind an `H`.
 */
export interface Mark {
  token: string;
  hash: string;
}

const longestCustomId = 64;

export async function markOf(token: string): Promise<Mark> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(token)));
  const hex = Array.from(digest.subarray(0, 15), (byte) => byte.toString(16).padStart(2, '0')).join('');
  return { token, hash: `H${hex}` };
}

/** What follows a key of this length in its custom_id. */
export function endFor(keyLength: number, { token, hash }: Mark): string {
  return keyLength + 1 + token.length <= longestCustomId ? `_${token}` : `_${hash}`;
}

/** The key of a custom_id that carries the mark; a custom_id of somebody else's stays as it is. */
export function keyOf(customId: string, { token, hash }: Mark): string {
  const end = [`_${token}`, `_${hash}`].find((text) => customId.endsWith(text));
  return end === undefined ? customId : customId.slice(0, -end.length);
}

/** The token, or its hash, that a custom_id carries; null when it is not of ours. */
export function markIn(customId: string): string | null {
  return /^[a-z0-9-]{1,32}_([a-z0-9-]{1,48}|H[0-9a-f]{30})$/.exec(customId)?.[1] ?? null;
}

/** The token that stands in a custom_id; null for a hash. */
export function tokenIn(customId: string): string | null {
  const mark = markIn(customId);
  return mark === null || mark.startsWith('H') ? null : mark;
}

/**
 * Message Batches have no name, no metadata and no idempotency key; the only text of ours that comes back is a request's
 * custom_id (`^[a-zA-Z0-9_-]{1,64}$`). So each one carries its key and, behind an underscore, which keys and tokens
 * cannot hold, the shard's token.
 */
const separator = '_';
/** What a key of 32 characters and the separator leave. */
const longestMarker = 31;

/** The token as it stands in a custom_id: itself where it fits, else a hash of it behind an `H`. */
export async function markerOf(token: string): Promise<string> {
  if (token.length <= longestMarker) return token;
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(token)));
  return `H${Array.from(digest.subarray(0, 15), (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

/** The key of a custom_id that carries the marker; a custom_id of somebody else's stays as it is. */
export function keyOf(customId: string, marker: string): string {
  const end = separator + marker;
  return customId.endsWith(end) ? customId.slice(0, -end.length) : customId;
}

/** The marker of a custom_id; null when it carries none. */
export function markerIn(customId: string): string | null {
  return /^[a-z0-9-]{1,32}_([a-z0-9-]{1,31}|H[0-9a-f]{30})$/.exec(customId)?.[1] ?? null;
}

/** The token that a marker states; null for a hash. */
export function tokenIn(marker: string): string | null {
  return marker.startsWith('H') ? null : marker;
}

/** The end of a custom_id with the marker, as bytes of the create body. */
export function markerEnd(marker: string): Uint8Array {
  return new TextEncoder().encode(separator + marker);
}

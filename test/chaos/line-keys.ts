/** Names of what is asked in a chaos run: in the text of each request, so that providers count by them. */

/** Beyond the numbers of the files that a run submits. */
export const PREFIXES = {
  call: 'line-1000-',
  /** Calls under an Idempotency-Key. */
  keyed: 'line-2000-',
  /** Calls that are answered from batches. */
  parked: 'line-4000-',
} as const;

const KEY = /line-\d+-\d+/;

/** The name in a text: the key under which providers count what was sent of it. */
export function keyIn(text: string): string | undefined {
  return KEY.exec(text)?.[0];
}

/** Whether the key of a request is that of a synchronous call. */
export function isCall(key: string): boolean {
  return key.startsWith(PREFIXES.call) || isKeyed(key);
}

/** Whether the key of a request is that of a call with an Idempotency-Key. */
export function isKeyed(key: string): boolean {
  return key.startsWith(PREFIXES.keyed);
}

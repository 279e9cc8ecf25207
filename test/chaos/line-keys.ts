/** Names of what is asked in a chaos run: in the text of each request, so that providers count by them. */

/** Beyond the numbers of the files that a run submits. */
export const PREFIXES = {
  call: 'line-1000-',
  /** Calls under an Idempotency-Key. */
  keyed: 'line-2000-',
  /** Calls that are answered from batches. */
  parked: 'line-4000-',
  /** Questions whose answers are given again, which several tenants ask in the same words. */
  kept: 'line-5000-',
} as const;
/** Each target of an eval asks by a number of its own, from this one on; so do the judges of each eval. */
export const EVAL_NUMBERS = { answers: 3000, judges: 7000 } as const;

const KEY = /line-\d+-\d+/;
const ASKER = /tenant-\d+/;

/** The name in a text: the key under which providers count what was sent of it. Of a question that others ask too, with its tenant. */
export function keyIn(text: string): string | undefined {
  const key = KEY.exec(text)?.[0];
  const asker = key?.startsWith(PREFIXES.kept) === true ? ASKER.exec(text)?.[0] : undefined;
  return asker === undefined ? key : `${key}-${asker}`;
}

/** Whether the key of a request is that of a question whose answers are given again. */
export function isKept(key: string): boolean {
  return key.startsWith(PREFIXES.kept);
}

/** Whether the key of a request is that of a synchronous call. */
export function isCall(key: string): boolean {
  return key.startsWith(PREFIXES.call) || isKeyed(key);
}

/** Whether the key of a request is that of a call with an Idempotency-Key. */
export function isKeyed(key: string): boolean {
  return key.startsWith(PREFIXES.keyed);
}

import { z } from '@hono/zod-openapi';

const HEAD = 'known names: ';

/**
 * An object of a request that takes these members and no others: one that was misspelt and ignored would run something
 * else than was asked for.
 */
export function closedObject<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.strictObject(shape, { error: tellKnownNames });
}

/** Raw issues know their schema; finished ones do not. So the names an object takes travel in the message, for `knownNames`. */
export function tellKnownNames(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code !== 'unrecognized_keys') return undefined;
  const definition = issue.inst?._zod.def as { shape?: object } | undefined;
  return HEAD + Object.keys(definition?.shape ?? {}).join(' ');
}

/** The names an object takes, of the message of its issue `unrecognized_keys`; none where that does not tell. */
export function knownNames(message: string): string[] {
  if (!message.startsWith(HEAD)) return [];
  return message.slice(HEAD.length).split(' ').filter(Boolean);
}

import { expect } from 'vitest';
import { toMessages } from '../../../providers/shared/anthropic-messages.ts';
import { familyNamed } from '../../../providers/shared/anthropic-messages-families.ts';
import type { MessagesOptions } from '../../../providers/shared/anthropic-messages-mapping.ts';

export type Fields = Record<string, unknown>;

export const user = { role: 'user', content: 'Hi' };

export function options(family = 'claude-sonnet-4-5', changes: Partial<MessagesOptions> = {}): MessagesOptions {
  const found = familyNamed(family);
  if (found === null) throw new Error(`no family ${family}`);
  const rest = { provider: 'p', head: { model: 'm' }, fetchesUrls: true, caches: true, hasServiceTiers: true };
  return { ...rest, family: found, ...changes };
}

/** The mapped body without its head and limit, and the warnings. */
export function map(
  body: Fields,
  family?: string,
  changes?: Partial<MessagesOptions>,
): { body: Fields; warnings: string[] } {
  const mapped = toMessages({ max_tokens: 100, messages: [user], ...body }, options(family, changes));
  if (!mapped.ok) throw new Error(mapped.failure.message);
  return { body: mapped.body, warnings: mapped.warnings };
}

export function refusedBy(body: Fields, family?: string, changes?: Partial<MessagesOptions>): string | null {
  const mapped = toMessages({ max_tokens: 100, messages: [user], ...body }, options(family, changes));
  if (mapped.ok) throw new Error(`mapped: ${JSON.stringify(mapped.body)}`);
  expect(mapped.failure.reachedProvider).toBe(false);
  expect(mapped.failure.message).not.toBe('');
  return mapped.failure.param;
}

export const weather = {
  type: 'function',
  function: {
    name: 'weather',
    description: '',
    parameters: { type: 'object', $defs: { a: {} }, additionalProperties: false },
    strict: true,
  },
};

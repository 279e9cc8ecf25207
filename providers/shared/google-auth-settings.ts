import { z } from 'zod';
import { baseUrl } from './base-url.ts';
import { secret } from './settings.ts';

const keyFields = z.looseObject({ type: z.string() });

/** A key file's content: an object, or its JSON as text. Its fields are never repeated in a message. */
const inlineCredentials = z.union([keyFields, z.string().transform(parseKey)]).superRefine((key, context) => {
  const message = problemOf(key);
  if (message !== null) context.addIssue({ code: 'custom', message });
});

export type GoogleKey = Readonly<Record<string, unknown>>;

/** How an entry proves who it is; at most one of the three, none means the surroundings tell (application default). */
export const googleCredentials = {
  /** Path of a key file: service account, workload identity federation, or authorized user. */
  credentials_file: z.string().min(1).optional(),
  credentials: inlineCredentials.optional(),
  /** A token that somebody else keeps fresh. */
  access_token: secret.optional(),
  /** Instead of https://oauth2.googleapis.com/token. */
  token_url: baseUrl.optional(),
};

const names = ['credentials_file', 'credentials', 'access_token'] as const;

/** Adds an issue when an entry names more than one kind of credential. */
export function refuseSeveralCredentials(
  entry: { readonly [name in (typeof names)[number]]?: unknown },
  context: z.RefinementCtx,
): void {
  const given = names.filter((name) => entry[name] !== undefined);
  if (given.length < 2) return;
  context.addIssue({ code: 'custom', path: [given[1] ?? ''], message: `cannot stand beside ${given[0]}: keep one` });
}

function parseKey(text: string): GoogleKey {
  try {
    const key: unknown = JSON.parse(text);
    return typeof key === 'object' && key !== null && !Array.isArray(key) ? (key as GoogleKey) : {};
  } catch {
    return {};
  }
}

const keyTypes = ['service_account', 'external_account', 'authorized_user', 'impersonated_service_account'];

function problemOf(key: GoogleKey): string | null {
  if (typeof key.type !== 'string' || !keyTypes.includes(key.type)) {
    return `must be the JSON of a key file, with a "type" of ${keyTypes.join(', ')}`;
  }
  if (key.type !== 'service_account') return null;
  const isWhole = typeof key.client_email === 'string' && typeof key.private_key === 'string';
  return isWhole ? null : 'a service account key needs client_email and private_key';
}

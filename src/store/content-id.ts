const ID_BYTES = 16;
const CACHE_LIMIT = 1_000;

/** Hashes already worked out, by what they are of: entries mostly repeat the tags and rates of earlier ones. */
const known = new Map<string, string>();

export interface Content {
  /** Whose it is; the same content of two scopes has two ids. */
  scope: string;
  content: object;
}

export interface IdentifiedContent {
  id: string;
  scope: string;
  json: string;
}

/** Content-addressed: the id is a hash of scope and canonical JSON. The answer is in the order of the contents given. */
export async function identify(contents: readonly (Content | null)[]): Promise<(IdentifiedContent | null)[]> {
  const seen = new Map<object, IdentifiedContent>();
  const identified: (IdentifiedContent | null)[] = [];
  let last: { content: object; is: IdentifiedContent } | null = null;
  for (const item of contents) {
    const same = item !== null && last !== null && isAlike(last.content, item.content);
    const earlier = item === null ? null : same ? last?.is : seen.get(item.content);
    if (item === null || (earlier && earlier.scope === item.scope)) {
      identified.push(earlier ?? null);
      continue;
    }
    const json = canonicalJson(item.content);
    const fresh = { id: await hash(`${item.scope}\n${json}`), scope: item.scope, json };
    seen.set(item.content, fresh);
    last = { content: item.content, is: fresh };
    identified.push(fresh);
  }
  return identified;
}

/** True for two objects whose members are the very same: entries of one price mostly follow each other. */
function isAlike(left: object, right: object): boolean {
  if (left === right) return true;
  const entries = Object.entries(right);
  const known = left as Record<string, unknown>;
  return Object.keys(left).length === entries.length && entries.every(([name, value]) => known[name] === value);
}

/** JSON with the keys of every object in order, so that equal contents have equal text. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) => {
    if (member === null || typeof member !== 'object' || Array.isArray(member)) return member;
    return Object.fromEntries(Object.entries(member).sort(([left], [right]) => (left < right ? -1 : 1)));
  });
}

async function hash(text: string): Promise<string> {
  const earlier = known.get(text);
  if (earlier !== undefined) return earlier;
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)));
  const id = Array.from(digest.subarray(0, ID_BYTES), (byte) => byte.toString(16).padStart(2, '0')).join('');
  if (known.size >= CACHE_LIMIT) known.clear();
  known.set(text, id);
  return id;
}

/** JSON text in which a `bigint` is written as an integer, however large: sums of money stay exact. */
export function exactJson(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) =>
    typeof member === 'bigint' ? rawJson(member.toString()) : member,
  );
}

/** `JSON.rawJSON` (ECMAScript proposal "JSON.parse source text access"): in Node since 21 and in workerd. */
const rawJson = (JSON as unknown as { rawJSON: (this: void, text: string) => unknown }).rawJSON;

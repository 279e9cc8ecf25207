import { isFields } from '../fields.ts';

/** Words that core/schema-check.ts leaves out. */
const WORDS: ReadonlySet<string> = new Set(['pattern', 'patternProperties', 'format', '$dynamicRef', '$recursiveRef']);
/** Their members are names that a user chose, and those of the last are data. */
const NAMED: ReadonlySet<string> = new Set(['properties', '$defs', 'definitions', 'dependentSchemas']);
const DATA: ReadonlySet<string> = new Set(['const', 'enum', 'default', 'examples']);

/** The first word of a JSON schema that is not checked; null when all are. */
export function uncheckable(schema: unknown, named = false): string | null {
  if (Array.isArray(schema)) return first(schema.map((each) => () => uncheckable(each)));
  if (!isFields(schema)) return null;
  return first(
    Object.entries(schema).map(([word, value]) => () => {
      if (named) return uncheckable(value);
      if (DATA.has(word)) return null;
      return WORDS.has(word) ? word : uncheckable(value, NAMED.has(word));
    }),
  );
}

function first(searches: (() => string | null)[]): string | null {
  for (const search of searches) {
    const found = search();
    if (found !== null) return found;
  }
  return null;
}

/** Parsed JSON whose members nobody has looked at yet. */
export type JsonObject = Record<string, unknown>;

const NESTING_MAX = 512;

interface BadValue {
  /** Where it is, e.g. `body.messages[0].content`; null for the whole. */
  path: string | null;
  message: string;
}

/**
 * Finds what JSON.parse lets through but no provider would read the same way: numbers beyond a double (`1e400`) and
 * nesting deeper than NESTING_MAX. Null when there is none.
 */
export function findBadValue(value: JsonObject): BadValue | null {
  const found = look(value, 1);
  if (found === null) return null;
  if (found.deep) {
    return { path: null, message: `This line is nested deeper than ${NESTING_MAX} levels. Flatten it.` };
  }
  const path = found.path.reverse().join('').replace(/^\./, '').slice(0, 256);
  return { path, message: `The number at '${path}' is too large. Use one below 1.8e308, or a string.` };
}

interface Found {
  deep: boolean;
  /** From the innermost outwards. */
  path: string[];
}

function look(value: object, depth: number): Found | null {
  if (depth > NESTING_MAX) return { deep: true, path: [] };
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) {
      const found = lookAt(value[index], depth);
      if (found !== null) return at(found, `[${index}]`);
    }
    return null;
  }
  for (const key in value) {
    const found = lookAt((value as JsonObject)[key], depth);
    if (found !== null) return at(found, `.${key}`);
  }
  return null;
}

function lookAt(value: unknown, depth: number): Found | null {
  if (typeof value === 'object') return value === null ? null : look(value, depth + 1);
  return typeof value === 'number' && !Number.isFinite(value) ? { deep: false, path: [] } : null;
}

function at(found: Found, step: string): Found {
  found.path.push(step);
  return found;
}

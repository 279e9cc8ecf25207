/** One step of a path into JSON: a member's name, an element's index, or every element (`*`). */
export type PathStep = string | number;

const STEP = /(?:^|\.)([^.[\]]+)|\[(\d{1,9}|\*|'[^']*'|"[^"]*")\]/y;

/**
 * Reads `a.b`, `a[0].b`, `a[*].b` and `a['b.c']`; null when `text` is none of these. A number between dots is a name
 * and an index at once: reading decides by what it meets. `[*]` is the step `'*'`; a member named `*` cannot be said.
 */
export function parsePath(text: string): PathStep[] | null {
  const steps: PathStep[] = [];
  STEP.lastIndex = 0;
  let at = 0;
  while (at < text.length) {
    STEP.lastIndex = at;
    const match = STEP.exec(text);
    if (match === null || (at === 0 && text.startsWith('.'))) return null;
    const [whole, name, bracket] = match;
    if (name !== undefined) steps.push(name);
    else if (bracket !== undefined) steps.push(readBracket(bracket));
    at += whole.length;
  }
  return steps.length === 0 ? null : steps;
}

function readBracket(text: string): PathStep {
  if (text === '*') return '*';
  return text.startsWith("'") || text.startsWith('"') ? text.slice(1, -1) : Number(text);
}

/** The own value at `steps` below `value`; undefined when there is none. Inherited members are never seen. */
export function readPath(value: unknown, steps: readonly PathStep[]): unknown {
  let current = value;
  for (const step of steps) {
    if (current === null || typeof current !== 'object' || !Object.hasOwn(current, step)) return undefined;
    current = (current as Record<PathStep, unknown>)[step];
  }
  return current;
}

/**
 * The text of one member of a JSON object, exactly as it stands in `json`; null when there is none. Re-serialising the parsed
 * value would change numbers that a double cannot hold. `json` must be valid JSON; of a repeated member the last one counts, as
 * for JSON.parse.
 */
export function memberText(json: string, name: string): string | null {
  let at = skipSpace(json, 0);
  if (json[at] !== '{') return null;
  at = skipSpace(json, at + 1);
  let found: string | null = null;
  while (json[at] === '"') {
    const keyEnd = skipString(json, at);
    const key = json.slice(at + 1, keyEnd - 1);
    const start = skipSpace(json, skipSpace(json, keyEnd) + 1);
    const end = skipValue(json, start);
    if (key === name || (key.includes('\\') && JSON.parse(`"${key}"`) === name)) found = json.slice(start, end);
    at = skipSpace(json, end);
    if (json[at] !== ',') break;
    at = skipSpace(json, at + 1);
  }
  return found;
}

function skipSpace(json: string, from: number): number {
  let at = from;
  while (json[at] === ' ' || json[at] === '\t' || json[at] === '\n' || json[at] === '\r') at += 1;
  return at;
}

/** The place after the string that begins at `from`. */
function skipString(json: string, from: number): number {
  let at = from;
  for (;;) {
    at = json.indexOf('"', at + 1);
    if (at < 0) return json.length;
    let slashes = 0;
    while (json[at - 1 - slashes] === '\\') slashes += 1;
    if (slashes % 2 === 0) return at + 1;
  }
}

const structure = /["{}[\]]/g;
const scalarEnd = /[\s,}\]]/g;

function skipValue(json: string, from: number): number {
  const first = json[from];
  if (first === '"') return skipString(json, from);
  if (first !== '{' && first !== '[') return indexOfMatch(scalarEnd, json, from);
  let depth = 0;
  let at = from;
  for (;;) {
    at = indexOfMatch(structure, json, at);
    const character = json[at];
    if (character === undefined) return json.length;
    if (character === '"') {
      at = skipString(json, at);
      continue;
    }
    depth += character === '{' || character === '[' ? 1 : -1;
    at += 1;
    if (depth === 0) return at;
  }
}

function indexOfMatch(pattern: RegExp, json: string, from: number): number {
  pattern.lastIndex = from;
  return pattern.exec(json)?.index ?? json.length;
}

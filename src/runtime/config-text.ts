import { formatPath, type Path, type Problem } from '../core/problems.ts';
import type { Environment } from './env.ts';

/**
 * Reads YAML (or JSON, which is YAML) and puts `${NAME}` from the environment into its strings; `$${NAME}` stays as
 * `${NAME}`. Values take their place after parsing, so they can hold anything, and cannot become syntax.
 */
export async function readConfigText(text: string, environment: Environment, problems: Problem[]): Promise<ConfigText> {
  const secrets = new Map<string, string>();
  const hidden = hideVariables(text);
  const tree = parseJson(hidden) ?? (await parse(hidden, problems));
  return { value: fill(tree, [], { environment, secrets, problems }), secrets };
}

export interface ConfigText {
  value: unknown;
  /** Values that came from the environment, with the variable that held each. */
  secrets: ReadonlyMap<string, string>;
}

// Braces are syntax in YAML, so `{ api_key: ${KEY} }` would not parse: variables pass through the parser as plain text
// of the same length, marked by characters of Unicode's private use area.
const VARIABLE = /(\$?)\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g;
const HIDDEN = /([\uE002\uE003])\uE000([A-Za-z_][A-Za-z0-9_]*)\uE001/g;
const FILLED = '\uE002';
const KEPT = '\uE003';

function hideVariables(text: string): string {
  return text.replaceAll(VARIABLE, (_whole, dollar: string, name: string) =>
    dollar === '' ? `${FILLED}\uE000${name}\uE001` : `${KEPT}\uE000${name}\uE001`,
  );
}

const STRING_OR_NAME = /"(?:[^"\\]|\\.)*"(\s*:)?/g;

/** JSON as it is: the parser of YAML need not be read for it. Undefined for what is none, or what names a member twice. */
function parseJson(text: string): unknown {
  let members = 0;
  try {
    const tree: unknown = JSON.parse(text, (_name, value: unknown) => {
      if (value !== null && typeof value === 'object' && !Array.isArray(value)) members += Object.keys(value).length;
      return value;
    });
    const names = [...text.matchAll(STRING_OR_NAME)].filter(([, colon]) => colon !== undefined);
    return names.length === members ? tree : undefined;
  } catch {
    return undefined;
  }
}

async function parse(text: string, problems: Problem[]): Promise<unknown> {
  const { LineCounter, parseDocument } = await import('yaml');
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  for (const error of document.errors.slice(0, 10)) {
    const { line, col } = lines.linePos(error.pos[0]);
    problems.push({ path: `line ${line}, column ${col}`, message: showVariables(error.message) });
  }
  if (document.errors.length > 0) return null;
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch {
    problems.push({ path: '', message: 'the file repeats its anchors too often; write the values out' });
    return null;
  }
}

interface Work {
  environment: Environment;
  secrets: Map<string, string>;
  problems: Problem[];
}

function fill(value: unknown, path: Path, work: Work): unknown {
  if (typeof value === 'string') return fillText(value, path, work);
  if (Array.isArray(value)) return value.map((item, index) => fill(item, [...path, index], work));
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).map(([key, item]) => {
    const name = showVariables(key);
    return [name, fill(item, [...path, name], work)] as const;
  });
  return Object.fromEntries(entries);
}

function fillText(text: string, path: Path, work: Work): string {
  return text.replaceAll(HIDDEN, (_whole, mark: string, name: string) => {
    if (mark === KEPT) return `\${${name}}`;
    const found = Object.hasOwn(work.environment, name) ? work.environment[name] : undefined;
    if (found === undefined) {
      work.problems.push({ path: formatPath(path), message: `the environment variable ${name} is not set` });
      return `\${${name}}`;
    }
    work.secrets.set(found, name);
    return found;
  });
}

function showVariables(text: string): string {
  return text.replaceAll(HIDDEN, (_whole, mark: string, name: string) => `${mark === KEPT ? '$' : ''}\${${name}}`);
}

import { parseArgs } from 'node:util';
import type { ArgsDef } from 'citty';
import { suggestion } from '../../core/close-names.ts';
import { wrongUse } from './exit.ts';

/**
 * Refuses what the command does not know: unknown or repeated options, options without their value, too many or too few
 * arguments. A misspelt `--watch` that is ignored would be worse than an error. Throws CliError.
 */
export function checkArguments(
  definition: ArgsDef,
  rawArguments: readonly string[],
  repeatable: readonly string[],
): void {
  const { tokens, positionals } = readTokens(definition, rawArguments);
  const known = Object.keys(definition);
  const seen = new Set<string>();
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    const { name, rawName, value } = token;
    const defined = definition[name];
    if (defined === undefined || defined.type === 'positional') {
      const names = known.filter((option) => definition[option]?.type !== 'positional');
      const hint = suggestion(name, names)
        .replaceAll("'", '')
        .replaceAll(/(?<= mean | or )/g, '--');
      throw wrongUse(`There is no option ${rawName}.${hint} See --help.`, name);
    }
    if (defined.type === 'boolean' && value !== undefined) throw wrongUse(`${rawName} takes no value.`, name);
    if (defined.type !== 'boolean' && (value === undefined || (!token.inlineValue && value.startsWith('-')))) {
      throw wrongUse(`${rawName} needs a value.`, name);
    }
    if (seen.has(name) && !repeatable.includes(name)) throw wrongUse(`${rawName} is given twice.`, name);
    seen.add(name);
  }
  checkPositionals(definition, positionals);
}

function checkPositionals(definition: ArgsDef, given: readonly string[]): void {
  const wanted = Object.entries(definition).filter(([, { type }]) => type === 'positional');
  const surplus = given[wanted.length];
  if (surplus !== undefined) throw wrongUse(`One argument too many: ${surplus}. See --help.`);
  for (const [index, [name, { required }]] of wanted.entries()) {
    if (required !== false && (given[index] ?? '') === '')
      throw wrongUse(`${name.toUpperCase()} is missing. See --help.`, name);
  }
}

function readTokens(definition: ArgsDef, rawArguments: readonly string[]) {
  const options = Object.fromEntries(
    Object.entries(definition)
      .filter(([, { type }]) => type !== 'positional')
      .map(([name, { type }]) => [name, { type: type === 'boolean' ? ('boolean' as const) : ('string' as const) }]),
  );
  return parseArgs({ args: [...rawArguments], options, strict: false, allowPositionals: true, tokens: true });
}

/** Every value of an option that may be repeated, in order. */
export function valuesOf(name: string, definition: ArgsDef, rawArguments: readonly string[]): string[] {
  return readTokens(definition, rawArguments).tokens.flatMap((token) =>
    token.kind === 'option' && token.name === name && token.value !== undefined ? [token.value] : [],
  );
}

/** `name=value` pairs as one object. Throws CliError for one without a name or an equals sign, or a name given twice. */
export function readPairs(texts: readonly string[], option: string): Record<string, string> {
  const pairs: Record<string, string> = Object.create(null);
  for (const text of texts) {
    const at = text.indexOf('=');
    if (at < 1) throw wrongUse(`--${option} needs name=value, not ${text}.`, option);
    const name = text.slice(0, at);
    if (name in pairs) throw wrongUse(`--${option} names ${name} twice.`, option);
    pairs[name] = text.slice(at + 1);
  }
  return { ...pairs };
}

/** A whole number from 1. Throws CliError. */
export function readCount(text: string, option: string, most: number): number {
  const count = Number(text);
  if (/^[0-9]{1,9}$/.test(text) && count >= 1 && count <= most) return count;
  throw wrongUse(`--${option} needs a whole number from 1 to ${most}.`, option);
}

/** A route: a name, or an inline routing config when it starts with `{`. Throws CliError. */
export function readRoute(text: string): string | Record<string, unknown> {
  if (!text.trimStart().startsWith('{')) return text;
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    throw wrongUse(
      '--route starts with { but is no JSON. Quote it for the shell, or name a route of the server.',
      'route',
    );
  }
}

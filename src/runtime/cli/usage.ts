import type { ArgsDef, CommandDef, CommandMeta } from 'citty';
import type { Paint } from './paint.ts';

const ENVIRONMENT: readonly (readonly [string, string])[] = [
  ['WEIR_URL', 'The server (default http://127.0.0.1:8787)'],
  ['WEIR_API_KEY', 'A key of that server'],
];

const EXIT_CODES = 'Exit codes: 0 done, 1 failed lines, 2 wrong use, 3 server or provider trouble.';

/** The help of a command; `path` holds the names that lead to it, none for `weir` itself. */
export function layUsage(command: CommandDef, path: readonly string[], paint: Paint): string {
  const { description = '' } = command.meta as CommandMeta;
  const definition = Object.entries((command.args ?? {}) as ArgsDef);
  const children = Object.entries((command.subCommands ?? {}) as Record<string, CommandDef>);
  const positionals = definition.filter(([, { type }]) => type === 'positional');
  const options = definition.filter(([, { type }]) => type !== 'positional');
  const name = ['weir', ...path].join(' ');
  const words = [
    ...positionals.map(([arg, { required }]) => (required === false ? `[${arg.toUpperCase()}]` : arg.toUpperCase())),
    ...(children.length > 0 ? ['COMMAND'] : []),
    ...(options.length > 0 ? ['[options]'] : []),
  ];
  const sections = [
    [description],
    [`${paint.bold('Usage')}  ${[name, ...words].join(' ')}`],
    section(
      'Arguments',
      positionals.map(([arg, defined]) => [arg.toUpperCase(), defined.description ?? '']),
      paint,
    ),
    section(
      'Options',
      options.map(([arg, defined]) => [optionOf(arg, defined), defined.description ?? '']),
      paint,
    ),
    section(
      'Commands',
      children.map(([child, defined]) => [child, (defined.meta as CommandMeta).description ?? '']),
      paint,
    ),
    ...(path.length === 0
      ? [section('Environment', ENVIRONMENT, paint), [`${name} COMMAND --help says more.`, EXIT_CODES]]
      : []),
  ];
  return sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n');
}

function optionOf(name: string, { type, valueHint }: ArgsDef[string]): string {
  return type === 'boolean' ? `--${name}` : `--${name} <${valueHint ?? 'value'}>`;
}

function section(title: string, rows: readonly (readonly [string, string])[], paint: Paint): string[] {
  if (rows.length === 0) return [];
  const width = Math.max(...rows.map(([name]) => name.length));
  return [paint.bold(title), ...rows.map(([name, text]) => `  ${paint.accent(name.padEnd(width))}  ${text}`)];
}

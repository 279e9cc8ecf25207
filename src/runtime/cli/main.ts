import { type ArgsDef, type CommandDef, runCommand } from 'citty';
import { suggestion } from '../../core/close-names.ts';
import { StartError } from '../problems.ts';
import { checkArguments } from './arguments.ts';
import { root } from './commands.ts';
import { CliError, EXIT, wrongUse } from './exit.ts';
import { REPEATABLE } from './options.ts';
import { printableJson, printableLines } from './printable.ts';
import { note, print, type Terminal } from './terminal.ts';
import { layUsage } from './usage.ts';
import { version } from './version.ts';

/** Runs one command line (without the program's name) and resolves with the exit code. Never rejects. */
export async function main(argv: readonly string[], terminal: Terminal): Promise<number> {
  try {
    return await dispatch(argv, terminal);
  } catch (error) {
    return report(error, argv, terminal);
  }
}

async function dispatch(argv: readonly string[], terminal: Terminal): Promise<number> {
  if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-v')) {
    await print(terminal, version());
    return EXIT.done;
  }
  const { command, path, rest } = findCommand(argv);
  if (asksForHelp(argv)) {
    await print(terminal, layUsage(command, path, terminal.out.paint));
    return EXIT.done;
  }
  if (command.run === undefined) {
    if (rest.length > 0) throw wrongUse(`There is no option ${rest[0]}. See weir --help.`);
    await note(terminal, layUsage(command, path, terminal.notes.paint));
    return EXIT.wrongUse;
  }
  checkArguments((command.args ?? {}) as ArgsDef, rest, REPEATABLE);
  const { result } = await runCommand(command, { rawArgs: rest, data: terminal });
  return result as number;
}

interface Found {
  command: CommandDef;
  /** The names that lead to it. */
  path: string[];
  rest: string[];
}

function findCommand(argv: readonly string[]): Found {
  const found: Found = { command: root, path: [], rest: argv[0] === 'help' ? argv.slice(1) : [...argv] };
  for (;;) {
    const children = found.command.subCommands as Record<string, CommandDef> | undefined;
    const name = found.rest[0];
    if (children === undefined || name === undefined || name.startsWith('-')) return found;
    const child = Object.hasOwn(children, name) ? children[name] : undefined;
    if (child === undefined) {
      const what = ['weir', ...found.path].join(' ');
      const hint = suggestion(name, Object.keys(children)).replaceAll("'", '');
      throw wrongUse(`${what} has no command ${name}.${hint} See ${what} --help.`);
    }
    found.command = child;
    found.path.push(name);
    found.rest = found.rest.slice(1);
  }
}

function asksForHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  const flags = end < 0 ? argv : argv.slice(0, end);
  return argv[0] === 'help' || flags.includes('--help') || flags.includes('-h');
}

async function report(error: unknown, argv: readonly string[], terminal: Terminal): Promise<number> {
  const known = error instanceof CliError ? error : toCliError(error);
  await note(terminal, `${terminal.notes.paint.bad('weir:')} ${printableLines(known.message)}`);
  if (argv.includes('--json')) {
    const { type, param, code } = known.details;
    await print(
      terminal,
      printableJson(JSON.stringify({ error: { message: known.message, type, param, code } }, null, 2)),
    );
  }
  return known.exitCode;
}

function toCliError(error: unknown): CliError {
  if (error instanceof StartError) return new CliError(EXIT.wrongUse, error.message, { type: 'invalid_configuration' });
  if (error instanceof Error && error.name === 'CLIError') return wrongUse(error.message);
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return new CliError(EXIT.trouble, `Something went wrong that should not.\n${text}`, { type: 'internal_error' });
}

import { resolve } from 'node:path';
import { suggestion } from '../../../core/close-names.ts';
import { createModelNames } from '../../../core/model-names.ts';
import { formatProblems } from '../../../core/problems.ts';
import { checkRoute } from '../../../core/route-check.ts';
import { createLaneAssigner } from '../../../core/routing.ts';
import type { Route } from '../../../protocol/route.ts';
import { readRoute } from '../arguments.ts';
import { Conversion, type RefusedLine } from '../convert/conversion.ts';
import { convertFile } from '../convert/convert-file.ts';
import { type Found, findProvider } from '../convert/find-provider.ts';
import { EXIT, type ExitCode, wrongUse } from '../exit.ts';
import { formatBytes, plural } from '../figures.ts';
import { sizeOfInput } from '../input-file.ts';
import type { convertArguments, Parsed } from '../options.ts';
import { cut, printable, printableJson } from '../printable.ts';
import { checkWritable, saveChunks } from '../save-output.ts';
import { interruptOf, note, print, type Terminal, terminalSafe } from '../terminal.ts';

type Arguments = Parsed<typeof convertArguments>;

/** Ids of lines that are refused may have any length. */
const CUSTOM_ID_COLUMNS = 80;

/** In the JSON summary; all of them are in the notes. */
const REFUSALS_MAX = 1_000;

/** `weir convert FILE`: the lines a provider's batch service would get. Needs no server and calls nobody. */
export async function convert(terminal: Terminal, args: Arguments): Promise<number> {
  const { to, model } = args;
  if (to === undefined) throw wrongUse('--to is missing: the provider to convert for. See --help.', 'to');
  if (model === '' || (model === undefined && args.route === undefined)) {
    throw wrongUse(
      '--model is missing: the name the provider knows the model by. Or give a --route that says it.',
      'model',
    );
  }
  await checkOut(args);
  await sizeOfInput(args.file);
  const route = args.route === undefined ? null : readRoute(args.route);
  const found = await findProvider(to, model, terminal.environment, typeof route === 'string');
  const interrupt = interruptOf(terminal);
  try {
    return await run(terminal, args, found, routeOf(found, route, model), interrupt.signal);
  } catch (error) {
    if (interrupt.signal.aborted) return EXIT.interrupted;
    throw error;
  } finally {
    interrupt.end();
    for (const provider of found.providers.values()) await provider.close?.();
  }
}

async function checkOut({ file, out }: Arguments): Promise<void> {
  if (out === undefined) return;
  if (out === '') throw wrongUse('--out needs a file name.', 'out');
  if (resolve(out) === resolve(file)) throw wrongUse('--out would replace the file that is read. Name another.', 'out');
  await checkWritable(out, 'out');
}

/** The route that the lines take: the one asked for, or straight to the provider. */
function routeOf({ provider, providers, routes }: Found, asked: Arguments['route'] | object | null, model = ''): Route {
  if (typeof asked === 'string') {
    const route = routes.get(asked);
    if (route !== undefined) return route;
    const known = [...routes.keys()];
    const hint =
      suggestion(asked, known).replaceAll("'", '') || ` Its routes: ${known.slice(0, 20).join(', ') || 'none'}.`;
    throw wrongUse(`The config has no route ${asked}.${hint} Routes kept by a server are not seen here.`, 'route');
  }
  const config = asked ?? { provider: provider.name, model };
  const checked = checkRoute(config, new Set(providers.keys()));
  if (checked.ok) return checked.value;
  const option = asked === null || asked === undefined ? 'model' : 'route';
  throw wrongUse(`--${option}: ${formatProblems(checked.problems)}`, option);
}

async function run(
  terminal: Terminal,
  args: Arguments,
  { provider, api, placeholder, providers, routes }: Found,
  batchRoute: Route,
  signal: AbortSignal,
): Promise<ExitCode> {
  const facts = [...providers].map(
    ([name, { endpoints, models }]) => [name, { endpoints, models, silent: false }] as const,
  );
  const names = createModelNames(routes, new Map(facts));
  const lanes = createLaneAssigner({ names, batchRoute, metadata: null });
  const conversion = new Conversion({ provider, api, model: args.model, lanes });
  if (placeholder !== null) await note(terminal, placeholder);
  const refusals: RefusedLine[] = [];
  const tell = async (refused: RefusedLine[]) => {
    refusals.push(...refused.slice(0, REFUSALS_MAX - refusals.length));
    if (refused.length > 0) await terminal.notes.write(`${refused.map(showRefusal).join('\n')}\n`);
  };
  const chunks = convertFile(args.file, conversion, tell, signal);
  const bytes = await deliver(terminal, args, chunks);
  await report(terminal, args, conversion, bytes);
  if (args.json) await print(terminal, layJson(args, provider.name, conversion, refusals));
  return conversion.refused > 0 ? EXIT.failedLines : EXIT.done;
}

/** Writes the lines where they are wanted; the JSON summary takes their place on stdout. Resolves with their bytes. */
async function deliver(terminal: Terminal, args: Arguments, chunks: AsyncIterable<Uint8Array>): Promise<number> {
  if (args.out !== undefined) return (await saveChunks(chunks, args.out)).bytes;
  const write = args.json ? () => Promise.resolve() : terminalSafe(terminal);
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.byteLength;
    await write(chunk);
  }
  return bytes;
}

function showRefusal({ line, customId, param, message }: RefusedLine): string {
  const name = customId === null ? '' : ` (${cut(printable(customId), CUSTOM_ID_COLUMNS)})`;
  return `line ${line}${name}: ${param === null ? '' : `${printable(param)}: `}${printable(message)}`;
}

async function report(terminal: Terminal, args: Arguments, conversion: Conversion, bytes: number): Promise<void> {
  const { lines, refused, elsewhere } = conversion;
  for (const warning of conversion.warnings()) {
    await note(terminal, `${plural(warning.lines, 'line')}: ${printable(warning.message)}`);
  }
  const where = args.out === undefined ? '' : ` to ${printable(args.out)}`;
  const parts = [`${plural(lines, 'line')} (${formatBytes(bytes)}) converted${where}`];
  if (refused > 0) parts.push(`${refused} refused`);
  if (elsewhere > 0) parts.push(`${elsewhere} not sent there by the route`);
  await note(terminal, parts.join(', '));
}

function layJson(args: Arguments, provider: string, conversion: Conversion, refusals: readonly RefusedLine[]): string {
  const document = {
    object: 'conversion',
    provider,
    model: args.model ?? null,
    path: args.out ?? null,
    lines: conversion.lines,
    refused: conversion.refused,
    elsewhere: conversion.elsewhere,
    warnings: conversion.warnings(),
    refusals: refusals.map(({ customId, ...refusal }) => ({ ...refusal, custom_id: customId })),
  };
  return printableJson(JSON.stringify(document, null, 2));
}

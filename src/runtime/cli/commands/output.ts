import type { Api } from '../api.ts';
import { withApi } from '../api.ts';
import { EXIT, wrongUse } from '../exit.ts';
import { formatBytes, plural } from '../figures.ts';
import { printableJson } from '../printable.ts';
import { checkWritable, type OutputOptions, openOutput, saveOutput } from '../save-output.ts';
import { interruptOf, note, print, type Terminal, terminalSafe } from '../terminal.ts';

interface Arguments {
  id: string;
  out: string | undefined;
  follow: boolean | undefined;
  json: boolean | undefined;
}

/** `weir output ID [--out FILE] [--follow]`: to stdout or a file, in memory that does not grow with the output. */
export async function output(terminal: Terminal, args: Arguments): Promise<number> {
  if (args.out === '') throw wrongUse('--out needs a file name.', 'out');
  const { out } = args;
  if (out !== undefined) {
    await checkWritable(out, 'out');
    return withApi(terminal, (api) => toFile(terminal, api, args, out));
  }
  const interrupt = interruptOf(terminal);
  const options: OutputOptions = { follow: args.follow === true, signal: interrupt.signal };
  try {
    return await withApi(terminal, (api) => toStdout(terminal, api, args, options));
  } catch (error) {
    if (interrupt.signal.aborted) return EXIT.interrupted;
    throw error;
  } finally {
    interrupt.end();
  }
}

async function toFile(terminal: Terminal, api: Api, args: Arguments, path: string): Promise<number> {
  const saved = await saveOutput(terminal, api, args.id, path, args.follow);
  const incomplete = saved.incomplete && args.follow !== true;
  if (args.json) {
    const document = {
      object: 'batch.output',
      batch_id: args.id,
      path,
      lines: saved.lines,
      bytes: saved.bytes,
      incomplete,
    };
    await print(terminal, printableJson(JSON.stringify(document, null, 2)));
  } else {
    await print(terminal, `${plural(saved.lines, 'line')} (${formatBytes(saved.bytes)}) written to ${path}`);
    if (incomplete) await note(terminal, 'The batch still runs: lines that are not done are missing.');
  }
  return EXIT.done;
}

async function toStdout(terminal: Terminal, api: Api, args: Arguments, options: OutputOptions): Promise<number> {
  const { chunks, incomplete } = await openOutput(api, args.id, options);
  const write = terminalSafe(terminal);
  if (!args.json) {
    for await (const chunk of chunks) await write(chunk);
  } else {
    const isIncomplete = incomplete && options.follow !== true;
    const head = `{"object":"list","batch_id":${JSON.stringify(args.id)},"incomplete":${isIncomplete},"data":[\n`;
    await print(terminal, head.trimEnd());
    // Lines are JSON already: commas between them make the list, without reading any.
    let isFirst = true;
    for await (const line of linesOf(chunks)) {
      await write(isFirst ? line : Buffer.concat([Buffer.from(',\n'), line]));
      isFirst = false;
    }
    await print(terminal, `${isFirst ? '' : '\n'}]}`);
  }
  if (incomplete && options.follow !== true) {
    await note(terminal, 'The batch still runs: lines that are not done are missing. --follow waits for them.');
  }
  return EXIT.done;
}

/** Lines without their ends. One line is held at a time. */
async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let carried: Uint8Array[] = [];
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, start)) {
      carried.push(chunk.subarray(start, end));
      yield Buffer.concat(carried);
      carried = [];
      start = end + 1;
    }
    if (start < chunk.length) carried.push(chunk.subarray(start));
  }
  if (carried.length > 0) yield Buffer.concat(carried);
}

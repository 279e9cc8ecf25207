import { withApi } from '../api.ts';
import { readPairs, readRoute, valuesOf } from '../arguments.ts';
import { printBatch, printBatchJson } from '../batch-report.ts';
import { EXIT, wrongUse } from '../exit.ts';
import { endpointOf } from '../first-line.ts';
import { sizeOfInput } from '../input-file.ts';
import { type Parsed, submitArguments } from '../options.ts';
import { checkWritable } from '../save-output.ts';
import { createBatch, uploadFile } from '../send.ts';
import { note, type Terminal } from '../terminal.ts';
import { followBatch } from './follow-batch.ts';

type Arguments = Parsed<typeof submitArguments>;

/** `weir submit FILE`: uploads, creates the batch, and watches it when asked to. */
export async function submit(terminal: Terminal, args: Arguments, rawArguments: readonly string[]): Promise<number> {
  const metadata = readPairs(valuesOf('metadata', submitArguments, rawArguments), 'metadata');
  const route = args.route === undefined ? null : readRoute(args.route);
  if (args.output !== undefined) await checkWritable(args.output, 'output');
  const bytes = await sizeOfInput(args.file);
  const endpoint = await endpointOf(args.file, args.endpoint);
  return withApi(terminal, async (api) => {
    const fileId = await uploadFile(terminal, api, args.file, bytes);
    const batch = await createBatch(api, {
      input_file_id: fileId,
      endpoint,
      completion_window: args.window ?? '24h',
      ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
      ...(route === null ? {} : { config: route }),
      ...(args.priority === undefined ? {} : { priority: readPriority(args.priority) }),
      ...(args['include-raw'] ? { include_raw: true } : {}),
    });
    if (args.watch || args.output !== undefined) {
      await note(terminal, `${batch.id} created`);
      return followBatch(terminal, api, batch.id, { json: args.json === true, outputPath: args.output ?? null });
    }
    await (args.json ? printBatchJson : printBatch)(terminal, batch, { ledger: null });
    if (!args.json) await note(terminal, `To watch it: weir status ${batch.id} --watch`);
    return EXIT.done;
  });
}

/** Throws CliError for what is no whole number; the server knows the bounds. */
function readPriority(text: string): number {
  if (/^-?[0-9]{1,2}$/.test(text)) return Number(text);
  throw wrongUse('--priority needs a whole number from -10 to 10.', 'priority');
}

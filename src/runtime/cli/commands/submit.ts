import { windowSeconds } from '../../../core/window.ts';
import { BATCH_PRIORITY_MAX } from '../../../protocol/batch.ts';
import { withApi } from '../api.ts';
import { readPairs, readRoute, valuesOf } from '../arguments.ts';
import { printBatch, printBatchJson } from '../batch-report.ts';
import { EXIT, wrongUse } from '../exit.ts';
import { endpointOf } from '../first-line.ts';
import { sizeOfInput } from '../input-file.ts';
import { type Parsed, submitArguments } from '../options.ts';
import { printable } from '../printable.ts';
import { checkWritable } from '../save-output.ts';
import { createBatch, uploadFile } from '../send.ts';
import { note, type Terminal } from '../terminal.ts';
import { followBatch } from './follow-batch.ts';

type Arguments = Parsed<typeof submitArguments>;

/** `weir submit FILE`: uploads, creates the batch, and watches it when asked to. */
export async function submit(terminal: Terminal, args: Arguments, rawArguments: readonly string[]): Promise<number> {
  const metadata = readPairs(valuesOf('metadata', submitArguments, rawArguments), 'metadata');
  const route = args.route === undefined ? null : readRoute(args.route);
  // Before the upload: it may be gigabytes, and would be left behind.
  const window = readWindow(args.window ?? '24h');
  const priority = args.priority === undefined ? null : readPriority(args.priority);
  if (args.output !== undefined) await checkWritable(args.output, 'output');
  const bytes = await sizeOfInput(args.file);
  const endpoint = await endpointOf(args.file, args.endpoint);
  return withApi(terminal, async (api) => {
    const fileId = await uploadFile(terminal, api, args.file, bytes);
    const batch = await createBatch(terminal, api, {
      input_file_id: fileId,
      endpoint,
      completion_window: window,
      ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
      ...(route === null ? {} : { config: route }),
      ...(priority === null ? {} : { priority }),
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

/** Throws CliError for what no server takes. */
function readWindow(text: string): string {
  if (windowSeconds(text, 1) !== null) return text;
  throw wrongUse(
    `--window needs immediate, or minutes, hours or days up to 30 days, such as 24h; not ${printable(text)}.`,
    'window',
  );
}

function readPriority(text: string): number {
  const priority = Number(text);
  if (/^-?[0-9]{1,2}$/.test(text) && Math.abs(priority) <= BATCH_PRIORITY_MAX) return priority;
  throw wrongUse(`--priority needs a whole number from -10 to 10, not ${printable(text)}.`, 'priority');
}

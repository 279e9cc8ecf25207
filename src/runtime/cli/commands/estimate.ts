import type { Estimate } from '../../../protocol/estimate.ts';
import { type Api, withApi } from '../api.ts';
import { readRoute } from '../arguments.ts';
import { layEstimate } from '../estimate-report.ts';
import { EXIT } from '../exit.ts';
import { endpointOf } from '../first-line.ts';
import { sizeOfInput } from '../input-file.ts';
import { printableJson } from '../printable.ts';
import { uploadFile } from '../send.ts';
import { note, print, type Terminal } from '../terminal.ts';

interface Arguments {
  file: string;
  route: string | undefined;
  endpoint: string | undefined;
  window: string | undefined;
  json: boolean | undefined;
}

/** `weir estimate FILE`: uploads, asks what a batch would do and cost, and deletes the upload. 1 when lines would fail. */
export async function estimate(terminal: Terminal, args: Arguments): Promise<number> {
  const route = args.route === undefined ? null : readRoute(args.route);
  const bytes = await sizeOfInput(args.file);
  const endpoint = await endpointOf(args.file, args.endpoint);
  let isInterrupted = false;
  const found = await withApi(terminal, async (api) => {
    const fileId = await uploadFile(terminal, api, args.file, bytes);
    // An upload that nobody will use is not left behind, whatever happens meanwhile.
    const restore = terminal.onInterrupt(() => {
      isInterrupted = true;
    });
    try {
      return await api.post<Estimate>('/v1/batches/estimate', {
        input_file_id: fileId,
        endpoint,
        completion_window: args.window ?? '24h',
        ...(route === null ? {} : { config: route }),
      });
    } finally {
      await deleteFile(terminal, api, fileId);
      restore();
    }
  });
  if (isInterrupted) return EXIT.interrupted;
  const { columns, paint } = terminal.out;
  const text = args.json
    ? printableJson(JSON.stringify(found, null, 2))
    : layEstimate(found, { width: columns, paint });
  await print(terminal, text);
  return found.errors !== null || found.total.refused_count > 0 ? EXIT.failedLines : EXIT.done;
}

async function deleteFile(terminal: Terminal, api: Api, fileId: string): Promise<void> {
  const client = await api.openai();
  await client.files.delete(fileId).catch(async () => {
    await note(terminal, `The uploaded file ${fileId} could not be deleted.`);
  });
}

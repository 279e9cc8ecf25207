import type { BatchObject } from '../../../protocol/batch.ts';
import { type Api, withApi } from '../api.ts';
import { printBatch, printBatchJson } from '../batch-report.ts';
import { EXIT } from '../exit.ts';
import { note, type Terminal } from '../terminal.ts';
import { followBatch } from './follow-batch.ts';

interface Arguments {
  id: string;
  json: boolean | undefined;
}

/** `weir cancel ID` */
export function cancel(terminal: Terminal, args: Arguments): Promise<number> {
  return steer(terminal, args, (api, id) => api.post(`/v1/batches/${id}/cancel`));
}

/** `weir pause ID` */
export function pause(terminal: Terminal, args: Arguments): Promise<number> {
  return steer(terminal, args, (api, id) => api.post(`/v1/batches/${id}/pause`));
}

/** `weir resume ID` */
export function resume(terminal: Terminal, args: Arguments): Promise<number> {
  return steer(terminal, args, (api, id) => api.post(`/v1/batches/${id}/resume`));
}

function steer(
  terminal: Terminal,
  args: Arguments,
  act: (api: Api, id: string) => Promise<BatchObject>,
): Promise<number> {
  return withApi(terminal, async (api) => {
    const batch = await act(api, encodeURIComponent(args.id));
    await (args.json ? printBatchJson : printBatch)(terminal, batch, { ledger: null });
    return EXIT.done;
  });
}

/** `weir retry ID`: a new batch of the lines that failed. */
export function retry(terminal: Terminal, args: Arguments & { watch: boolean | undefined }): Promise<number> {
  return withApi(terminal, async (api) => {
    const path = `/v1/batches/${encodeURIComponent(args.id)}/retry`;
    const batch = await api.post<BatchObject>(path, undefined, crypto.randomUUID());
    if (args.watch) return followBatch(terminal, api, batch.id, { json: args.json === true, outputPath: null });
    await (args.json ? printBatchJson : printBatch)(terminal, batch, { ledger: null });
    if (!args.json) await note(terminal, `To watch it: weir status ${batch.id} --watch`);
    return EXIT.done;
  });
}

import type { BatchObject } from '../../../protocol/batch.ts';
import type { Page } from '../../../protocol/page.ts';
import { withApi } from '../api.ts';
import { readCount } from '../arguments.ts';
import { exitCodeOf, fetchFailures, fetchLedger, printBatch, printBatches, printBatchJson } from '../batch-report.ts';
import { EXIT, wrongUse } from '../exit.ts';
import { printableJson } from '../printable.ts';
import { print, type Terminal } from '../terminal.ts';
import { followBatch } from './follow-batch.ts';

const LIMIT = 20;
const LIMIT_MOST = 100;

interface Arguments {
  id: string | undefined;
  watch: boolean | undefined;
  limit: string | undefined;
  json: boolean | undefined;
}

/** `weir status [ID] [--watch]` */
export function status(terminal: Terminal, args: Arguments): Promise<number> {
  const { id } = args;
  if (id === undefined) return list(terminal, args);
  if (args.limit !== undefined) throw wrongUse('--limit is for the list; leave the batch id out.', 'limit');
  return withApi(terminal, async (api) => {
    if (args.watch) return followBatch(terminal, api, id, { json: args.json === true, outputPath: null });
    const batch = await api.get<BatchObject>(`/v1/batches/${encodeURIComponent(id)}`);
    const [ledger, failures] = await Promise.all([fetchLedger(api, batch), fetchFailures(api, batch)]);
    await (args.json ? printBatchJson : printBatch)(terminal, batch, { ledger, failures });
    return exitCodeOf(batch);
  });
}

function list(terminal: Terminal, args: Arguments): Promise<number> {
  if (args.watch) throw wrongUse('--watch needs a batch id.', 'watch');
  const limit = args.limit === undefined ? LIMIT : readCount(args.limit, 'limit', LIMIT_MOST);
  return withApi(terminal, async (api) => {
    const page = await api.get<Page<BatchObject>>(`/v1/batches?limit=${limit}`);
    if (args.json) await print(terminal, printableJson(JSON.stringify(page, null, 2)));
    else {
      await printBatches(terminal, page.data);
      if (page.has_more) await print(terminal, `… and more; --limit shows up to ${LIMIT_MOST}`);
    }
    return EXIT.done;
  });
}

import type { Api } from '../api.ts';
import { exitCodeOf, fetchFailures, fetchLedger, printBatch, printBatchJson } from '../batch-report.ts';
import { EXIT } from '../exit.ts';
import { besideStill } from '../held-targets.ts';
import { saveOutput } from '../save-output.ts';
import { note, type Terminal } from '../terminal.ts';
import { howToResume, watchBatch } from '../watch.ts';

export interface FollowOptions {
  json: boolean;
  /** Where to write the output lines at the end. */
  outputPath: string | null;
}

/** Watches a batch to its end, then reports. Resolves with the exit code. */
export async function followBatch(terminal: Terminal, api: Api, id: string, options: FollowOptions): Promise<number> {
  const { batch, isDetached } = await watchBatch(api, id, terminal, {
    beside: besideStill(api, () => terminal.now()),
  });
  if (isDetached) {
    await note(terminal, howToResume(id));
    if (options.outputPath !== null) await note(terminal, `To get its output: weir output ${id} --out FILE`);
    if (options.json) await printBatchJson(terminal, batch, { ledger: null });
    return EXIT.interrupted;
  }
  const ledger = await fetchLedger(api, batch);
  const failures = await fetchFailures(api, batch);
  const hasOutput = batch.status !== 'failed' && options.outputPath !== null;
  const outputPath = hasOutput ? options.outputPath : null;
  if (outputPath !== null) await saveOutput(terminal, api, id, outputPath);
  await (options.json ? printBatchJson : printBatch)(terminal, batch, { ledger, outputPath, failures });
  return exitCodeOf(batch);
}

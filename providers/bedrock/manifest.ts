import { Buffer } from 'node:buffer';
import type { BatchCall, BatchTotals, ProviderBatch } from '../contract.ts';
import { parseAnswer } from '../shared/answer.ts';
import { download } from './download.ts';
import { type Outputs, outputFolder } from './output.ts';
import { readManifestTotals } from './usage.ts';

/** A manifest has a few hundred bytes. */
const mostBytes = 64 * 1024;

/** The totals of a job's `manifest.json.out`; null when there is none, or none that can be read. */
export async function readManifest(
  batch: ProviderBatch,
  { access, bucket, prefix }: Outputs,
  call: BatchCall,
): Promise<BatchTotals | null> {
  const folder = outputFolder(batch, prefix);
  if (folder === null) return null;
  const key = `${folder}manifest.json.out`;
  for await (const object of bucket.list(key, call)) {
    if (object.key !== key || object.size > mostBytes) continue;
    const chunks: Uint8Array[] = [];
    for await (const chunk of download(bucket, object, access, call)) chunks.push(chunk);
    return readManifestTotals(parseAnswer(Buffer.concat(chunks)).json);
  }
  return null;
}

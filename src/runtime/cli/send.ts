import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import type { BatchCreateParams } from 'openai/resources/batches';
import type { BatchObject } from '../../protocol/batch.ts';
import type { Api } from './api.ts';
import { CliError, EXIT } from './exit.ts';
import { formatBytes, formatSeconds, formatShare } from './figures.ts';
import { Meter } from './meter.ts';
import { printable } from './printable.ts';
import { layBar, RateMeter } from './progress.ts';
import { interruptOf, type Terminal } from './terminal.ts';

/** Streams a file of `bytes` up, showing how far it is. Resolves with the file's id; throws CliError. */
export async function uploadFile(
  terminal: Terminal,
  api: Api,
  path: string,
  bytes: number,
  purpose: 'batch' | 'evals' = 'batch',
): Promise<string> {
  const { toStreamingFile } = await import('openai');
  const client = await api.openai();
  const meter = new Meter(terminal);
  const interrupt = interruptOf(terminal);
  const sent = { bytes: 0 };
  const chunks = counted(terminal, meter, createReadStream(path, { highWaterMark: 256 * 1024 }), bytes, sent);
  try {
    const file = await client.files.create(
      { file: toStreamingFile(chunks, basename(path), { type: 'application/jsonl' }), purpose },
      // Large files take their time; a stream cannot be sent twice.
      { timeout: 24 * 3_600_000, maxRetries: 0, signal: interrupt.signal },
    );
    return file.id;
  } catch (error) {
    if (interrupt.signal.aborted) throw new CliError(EXIT.interrupted, stoppedUpload(api, sent.bytes < bytes));
    throw api.fromSdk(error);
  } finally {
    interrupt.end();
    await meter.clear();
  }
}

/** What is left at the server is known only while the file is on its way. */
function stoppedUpload(api: Api, isOnItsWay: boolean): string {
  if (isOnItsWay) return 'Upload stopped; nothing was created.';
  return `Upload stopped at its end: the file may be there already, without a batch. ${api.url}/v1/files lists it.`;
}

const REDRAW_MS = 100;

async function* counted(
  terminal: Terminal,
  meter: Meter,
  chunks: AsyncIterable<Uint8Array>,
  total: number,
  progress: { bytes: number },
): AsyncGenerator<Uint8Array> {
  const rate = new RateMeter(5_000);
  let shownAt = Number.NEGATIVE_INFINITY;
  for await (const chunk of chunks) {
    yield chunk;
    progress.bytes += chunk.byteLength;
    const sent = progress.bytes;
    const now = terminal.now();
    if (now - shownAt < REDRAW_MS) continue;
    shownAt = now;
    rate.add(sent, now);
    const perSecond = rate.perSecond;
    const left =
      perSecond === null ? '' : `  ${formatBytes(perSecond)}/s  ${formatSeconds((total - sent) / perSecond)} left`;
    const text = `uploading ${formatBytes(sent)} of ${formatBytes(total)} (${formatShare(sent, total)})`;
    await meter.show(
      () => [`${layBar(sent / total, 20, meter.screen.paint)}  ${text}${left}`.slice(0, 200)],
      () => text,
    );
  }
}

/** Weir's fields beside OpenAI's, and its windows. */
export type WeirBatchCreate = Omit<BatchCreateParams, 'completion_window'> & {
  completion_window: string;
  config?: string | Record<string, unknown>;
  include_raw?: boolean;
};

/** Creates a batch; asking twice by mistake creates one. Throws CliError. */
export async function createBatch(terminal: Terminal, api: Api, body: WeirBatchCreate): Promise<BatchObject> {
  const client = await api.openai();
  const interrupt = interruptOf(terminal);
  const kept = `The file is uploaded as ${printable(body.input_file_id)}.`;
  try {
    const batch = await client.batches.create(body as BatchCreateParams, {
      headers: { 'idempotency-key': crypto.randomUUID() },
      signal: interrupt.signal,
    });
    return batch as unknown as BatchObject;
  } catch (error) {
    if (interrupt.signal.aborted) {
      const unknown = `Stopped; its batch may be there already, and then it runs: ${api.url}/v1/batches lists it.`;
      throw new CliError(EXIT.interrupted, `${unknown}\n${kept}`);
    }
    const failure = api.fromSdk(error);
    throw new CliError(failure.exitCode, `${failure.message}\n${kept}`, failure.details);
  } finally {
    interrupt.end();
  }
}

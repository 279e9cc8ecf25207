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
import type { Terminal } from './terminal.ts';

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
  const leaving = new AbortController();
  const restore = terminal.onInterrupt(() => leaving.abort());
  const chunks = counted(terminal, meter, createReadStream(path, { highWaterMark: 256 * 1024 }), bytes);
  try {
    const file = await client.files.create(
      { file: toStreamingFile(chunks, basename(path), { type: 'application/jsonl' }), purpose },
      // Large files take their time; a stream cannot be sent twice.
      { timeout: 24 * 3_600_000, maxRetries: 0, signal: leaving.signal },
    );
    return file.id;
  } catch (error) {
    if (leaving.signal.aborted) throw new CliError(EXIT.interrupted, 'Upload stopped; nothing was created.');
    throw api.fromSdk(error);
  } finally {
    restore();
    await meter.clear();
  }
}

const REDRAW_MS = 100;

async function* counted(
  terminal: Terminal,
  meter: Meter,
  chunks: AsyncIterable<Uint8Array>,
  total: number,
): AsyncGenerator<Uint8Array> {
  const rate = new RateMeter(5_000);
  let sent = 0;
  let shownAt = Number.NEGATIVE_INFINITY;
  for await (const chunk of chunks) {
    yield chunk;
    sent += chunk.byteLength;
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
export async function createBatch(api: Api, body: WeirBatchCreate): Promise<BatchObject> {
  const client = await api.openai();
  try {
    const batch = await client.batches.create(body as BatchCreateParams, {
      headers: { 'idempotency-key': crypto.randomUUID() },
    });
    return batch as unknown as BatchObject;
  } catch (error) {
    const failure = api.fromSdk(error);
    const kept = `The file is uploaded as ${printable(body.input_file_id)}.`;
    throw new CliError(failure.exitCode, `${failure.message}\n${kept}`, failure.details);
  }
}

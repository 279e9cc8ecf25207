import { createHash, type Hash } from 'node:crypto';
import { type BatchCall, ProviderError } from '../contract.ts';
import { ask, type BatchAccess, failureOfFetch, openStream, Patience } from './openai-batch-client.ts';
import { readFile } from './openai-batch-object.ts';
import { pause } from './openai-batch-upload.ts';
import { badResponse } from './openai-status.ts';

/** Downloads that bring nothing new, one after another, before the file is given up. */
const fruitlessTries = 3;
const firstWaitMs = 100;

/**
 * The bytes of a file, streamed. Its length is asked for first; a download that breaks or ends early goes on from there, by range
 * where the service has ranges, else by reading again and comparing what was read before. Rejects with ProviderError when the
 * file cannot be had whole. Answers whether there was a length to check it by.
 */
export async function* download(
  access: BatchAccess,
  fileId: string,
  call: BatchCall,
): AsyncGenerator<Uint8Array, { isVerified: boolean }> {
  if (access.blobs !== undefined) return yield* access.blobs.read(access, fileId, call);
  const path = `${access.dialect.files}/${encodeURIComponent(fileId)}`;
  const expected = await lengthOf(access, path, call);
  const progress: ReadSoFar = { offset: 0, digest: createHash('sha256'), expected, isVerified: expected !== null };
  let fruitless = 0;
  let waitMs = firstWaitMs;
  for (;;) {
    const before = progress.offset;
    const outcome = yield* readOn(access, `${path}/content`, progress, call);
    if (outcome === 'whole') return { isVerified: progress.isVerified };
    fruitless = progress.offset > before ? 0 : fruitless + 1;
    if (fruitless >= fruitlessTries) throw outcome;
    await pause(waitMs, call.signal);
    waitMs = Math.min(waitMs * 2, 2000);
  }
}

interface ReadSoFar {
  /** Bytes handed on. */
  offset: number;
  /** Of those bytes. */
  digest: Hash;
  /** Bytes of the whole file; null when the service does not say. */
  expected: number | null;
  /** A length was told, by the file or by the answer, and has been reached. */
  isVerified: boolean;
}

/** The file's length; null when the service does not tell. A refusal is told, a missing object may still have its content. */
async function lengthOf(access: BatchAccess, path: string, call: BatchCall): Promise<number | null> {
  try {
    return readFile(await ask(access, call, { method: 'get', path }))?.bytes ?? null;
  } catch (error) {
    if (error instanceof ProviderError && ['not_found', 'unsupported', 'bad_response'].includes(error.failure.kind))
      return null;
    throw error;
  }
}

/** One download from `progress.offset` on; answers `whole`, or why it was not and may be tried again. */
async function* readOn(
  access: BatchAccess,
  path: string,
  progress: ReadSoFar,
  call: BatchCall,
): AsyncGenerator<Uint8Array, 'whole' | ProviderError> {
  const from = progress.offset;
  const patience = new Patience(call.timeoutMs);
  try {
    const response = await openStream(access, call, { method: 'get', path, headers: headersFor(from) }, patience);
    let toSkip = from;
    if (response.status === 206) toSkip = from - rangeStart(response, from, progress, access);
    const again = toSkip > 0 ? createHash('sha256') : null;
    const announced = announcedLength(response);
    if (announced !== null) progress.isVerified = true;
    let received = 0;
    for await (const chunk of response.body ?? []) {
      patience.touch();
      received += chunk.length;
      const known = Math.min(toSkip, chunk.length);
      if (known > 0) {
        again?.update(chunk.subarray(0, known));
        toSkip -= known;
        if (toSkip === 0) refuseChange(again, progress, access);
      }
      if (known === chunk.length) continue;
      const fresh = known === 0 ? chunk : chunk.subarray(known);
      progress.digest.update(fresh);
      progress.offset += fresh.length;
      // The reader may take its time.
      patience.end();
      yield fresh;
      patience.touch();
    }
    if (announced !== null && received < announced) return incomplete(access, progress);
    return progress.expected !== null && progress.offset < progress.expected ? incomplete(access, progress) : 'whole';
  } catch (error) {
    if (error instanceof ProviderError && !isPassing(error)) throw error;
    return failureOfFetch(error, access, call, patience.isOver);
  } finally {
    patience.end();
  }
}

function headersFor(from: number): Record<string, string> {
  const identity = { accept: 'application/binary', 'accept-encoding': 'identity' };
  return from === 0 ? identity : { ...identity, range: `bytes=${from}-` };
}

/** The offset at which a partial answer begins; refuses one that begins elsewhere than it can be used. */
function rangeStart(response: Response, from: number, progress: ReadSoFar, access: BatchAccess): number {
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '');
  const start = range === null ? Number.NaN : Number(range[1]);
  const total = range === null || range[2] === '*' ? null : Number(range[2]);
  if (start <= from && (total === null || progress.expected === null || total >= progress.expected)) return start;
  throw new ProviderError(badResponse(206, `${access.provider} answered another part of a file than was asked for.`));
}

/** Bytes that the answer says it has; null when it does not say, or counts them compressed. */
function announcedLength(response: Response): number | null {
  const length = response.headers.get('content-length');
  return length === null || response.headers.has('content-encoding') ? null : Number(length);
}

function refuseChange(again: Hash | null, progress: ReadSoFar, access: BatchAccess): void {
  if (again === null || again.digest('hex') === progress.digest.copy().digest('hex')) return;
  const message = `${access.provider} returned other bytes for the same file when it was read again.`;
  throw new ProviderError(badResponse(200, message, 'file_changed'));
}

function incomplete(access: BatchAccess, { offset, expected }: ReadSoFar): ProviderError {
  const whole = expected === null ? '' : ` of ${expected}`;
  return new ProviderError(
    badResponse(200, `${access.provider} ended a download after ${offset}${whole} bytes.`, 'download_incomplete'),
  );
}

/** Trouble on the way, after which the same download may work. */
function isPassing({ failure }: ProviderError): boolean {
  return ['connection', 'timeout', 'server_error', 'overloaded'].includes(failure.kind);
}

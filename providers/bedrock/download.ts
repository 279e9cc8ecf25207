import { LastingLines } from '../../src/core/lasting-lines.ts';
import { type BatchCall, ProviderError } from '../contract.ts';
import { badResponse } from '../shared/openai-status.ts';
import type { Access } from './access.ts';
import type { Bucket, ListedObject, ObjectBody } from './objects.ts';
import { awsFailure } from './sdk.ts';

/** Attempts in a row that may bring no byte. */
const fruitlessAttempts = 3;

/**
 * The bytes of an object, as many as its listing said: a transfer that ends early or breaks goes on from where it was, on
 * the same version of the object, and a store that ignores the range is read past what is known. What a transfer says of
 * its own length counts for nothing. Rejects with ProviderError.
 */
export async function* download(
  bucket: Bucket,
  object: ListedObject,
  access: Access,
  call: BatchCall,
): AsyncIterable<Uint8Array> {
  let offset = 0;
  let fruitless = 0;
  while (offset < object.size) {
    const before = offset;
    let broken: ProviderError | null = null;
    try {
      const read = await bucket.read(object, offset, call);
      let known = offset - read.offset;
      for await (const chunk of watched(read, call)) {
        const fresh = chunk.subarray(Math.min(known, chunk.length));
        known = Math.max(0, known - chunk.length);
        offset += fresh.length;
        if (fresh.length > 0) yield fresh;
      }
    } catch (error) {
      broken = awsFailure(error, 'objects', access, call);
      if (!isWorthRepeating(broken)) throw broken;
    }
    fruitless = offset > before ? 0 : fruitless + 1;
    if (fruitless >= fruitlessAttempts) {
      const message = `${access.provider}: the output could not be read beyond byte ${offset} of ${object.size}.`;
      throw broken ?? new ProviderError(badResponse(200, message, 'download_incomplete'));
    }
  }
}

function isWorthRepeating({ failure }: ProviderError): boolean {
  return ['connection', 'timeout', 'server_error', 'overloaded', 'rate_limited'].includes(failure.kind);
}

/** The chunks of a body, each within the call's time. */
async function* watched(read: ObjectBody, call: BatchCall): AsyncIterable<Uint8Array> {
  const chunks = read.body[Symbol.asyncIterator]();
  const interrupt = Promise.withResolvers<never>();
  interrupt.promise.catch(() => {});
  const onAbort = () => interrupt.reject(new DOMException('the call was aborted', 'AbortError'));
  if (call.signal?.aborted === true) onAbort();
  call.signal?.addEventListener('abort', onAbort);
  try {
    for (;;) {
      const timer = setTimeout(
        () => interrupt.reject(new DOMException('no byte in time', 'TimeoutError')),
        call.timeoutMs,
      );
      const next = await Promise.race([chunks.next(), interrupt.promise]).finally(() => clearTimeout(timer));
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    call.signal?.removeEventListener('abort', onAbort);
    read.abort();
  }
}

/** The lines of a byte stream, without their ends; null for one longer than allowed. */
export async function* linesOf(
  source: AsyncIterable<Uint8Array>,
  maxLineBytes: number,
): AsyncIterable<Uint8Array | null> {
  let lines: (Uint8Array | null)[] = [];
  const framer = new LastingLines(maxLineBytes, (bytes) => lines.push(bytes));
  for await (const chunk of source) {
    framer.push(chunk);
    const framed = lines;
    lines = [];
    yield* framed;
  }
  framer.end();
  yield* lines;
}

import { type BatchCall, ProviderError, type ShardInput } from '../contract.ts';
import { ask, type BatchAccess, Patience } from './openai-batch-client.ts';
import { fileNameOf, type RemoteFile, readFile } from './openai-batch-object.ts';
import { badResponse, typeOf } from './openai-status.ts';
import { redact } from './redact.ts';

const encoder = new TextEncoder();
const firstWaitMs = 100;
const longestWaitMs = 5000;

/** Streams a shard's input to the service as a file that carries its token. Rejects with ProviderError. */
export async function uploadInput(access: BatchAccess, input: ShardInput, call: BatchCall): Promise<RemoteFile> {
  const { dialect, blobs } = access;
  if (blobs !== undefined) return blobs.upload(access, input, call);
  const boundary = `weir-${input.token}-${input.bytes.toString(36)}-form`;
  const name = fileNameOf(input.token);
  const fields = {
    purpose: dialect.purpose,
    ...dialect.expiry,
    ...(dialect.upload === dialect.files ? {} : { file_name: name }),
  };
  const head = encoder.encode(
    `${Object.entries(fields)
      .map(([field, value]) => part(boundary, `name="${field}"`, value))
      .join(
        '',
      )}--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="${name}"\r\ncontent-type: application/jsonl\r\n\r\n`,
  );
  const tail = encoder.encode(`\r\n--${boundary}--\r\n`);
  const patience = new Patience(call.timeoutMs);
  const source = new WatchedSource(head, input, tail, patience);
  const headers = {
    'content-type': `multipart/form-data; boundary=${boundary}`,
    'content-length': String(head.length + input.bytes + tail.length),
    accept: 'application/json',
  };
  try {
    const answer = await ask(
      access,
      call,
      { method: 'post', path: dialect.upload, headers, body: source.stream() },
      patience,
    );
    const file = readFile(answer);
    if (file === null)
      throw new ProviderError(badResponse(200, `${access.provider} answered an upload without a file id.`));
    return file;
  } catch (error) {
    // Trouble of our own file store is not the provider's.
    throw source.trouble ?? error;
  }
}

/** Waits until the service has read an uploaded file. Rejects with ProviderError when it cannot, or takes too long. */
export async function awaitFile(access: BatchAccess, file: RemoteFile, call: BatchCall): Promise<void> {
  const deadline = performance.now() + call.timeoutMs;
  let { status, statusDetails } = file;
  for (let waitMs = firstWaitMs; isUnready(status); waitMs = Math.min(waitMs * 1.5, longestWaitMs)) {
    if (performance.now() + waitMs > deadline) {
      const failure = badResponse(200, `${access.provider} has not read the uploaded file in time.`, 'file_not_ready');
      throw new ProviderError({ ...failure, kind: 'timeout', status: null, type: typeOf('timeout') });
    }
    await pause(waitMs, call.signal);
    const answer = await ask(access, call, {
      method: 'get',
      path: `${access.dialect.files}/${encodeURIComponent(file.id)}`,
    });
    const now = readFile(answer);
    if (now !== null) ({ status, statusDetails } = now);
  }
  if (status !== 'error') return;
  const said = statusDetails === null ? 'no reason given' : redact(statusDetails, access.secrets);
  const failure = badResponse(200, `${access.provider} could not read the uploaded file: ${said}.`, 'file_error');
  throw new ProviderError({ ...failure, kind: 'invalid_request', status: null, type: typeOf('invalid_request') });
}

/** Azure's states of a file on its way (Azure OpenAI REST, File.status); an unknown word is no reason to wait. */
function isUnready(status: string): boolean {
  return status === 'pending' || status === 'running' || status === 'uploaded';
}

/** Waits, or less long when the signal is aborted: the next call then says so. */
export function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  signal?.addEventListener('abort', () => resolve(), { once: true });
  if (signal?.aborted) resolve();
  return promise.finally(() => clearTimeout(timer));
}

function part(boundary: string, disposition: string, value: string): string {
  return `--${boundary}\r\ncontent-disposition: form-data; ${disposition}\r\n\r\n${value}\r\n`;
}

/** The form around the shard's lines, read as fast as it is sent. */
class WatchedSource {
  /** What the input itself threw. */
  trouble: unknown;
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #patience: Patience;

  constructor(head: Uint8Array, input: ShardInput, tail: Uint8Array, patience: Patience) {
    this.#patience = patience;
    this.#chunks = (async function* () {
      yield head;
      yield* input.open();
      yield tail;
    })();
  }

  stream(): ReadableStream<Uint8Array> {
    return new ReadableStream(
      {
        pull: async (controller) => {
          try {
            const { done, value } = await this.#chunks.next();
            this.#patience.touch();
            if (done) controller.close();
            else controller.enqueue(value);
          } catch (error) {
            this.trouble = error;
            controller.error(error);
          }
        },
        cancel: async () => {
          await this.#chunks.return?.(undefined);
        },
      },
      { highWaterMark: 0 },
    );
  }
}

import { parseExact } from '../../src/core/exact-json.ts';
import { type Fields, fieldsOf } from '../../src/core/fields.ts';
import { HttpFailure, type HttpStream } from '../../src/ports/http-client.ts';
import { ProviderError } from '../contract.ts';
import type { AnswerContext } from '../shared/answer.ts';
import { badResponse } from '../shared/openai-status.ts';
import { brokenStream } from '../shared/stream-answer.ts';
import { failureOfAws } from './status.ts';

/** The content type of AWS's event streams. */
export const eventStreamType = 'application/vnd.amazon.eventstream';

/** One event of a response, by its type. */
export interface AwsEvent {
  type: string;
  data: Fields;
}

/** A payload is at most 16 MB, with 128 kB of headers before it (Smithy, Amazon event stream specification). */
const messageBytesMax = 17 * 1024 ** 2;
const lengthBytes = 4;

/** Cuts a stream of bytes into its messages, by the length that each begins with. */
export class MessageFramer {
  private rest: Uint8Array = new Uint8Array(0);

  /** True when a message has begun and not ended. */
  get isWithin(): boolean {
    return this.rest.length > 0;
  }

  /** The messages that end in `bytes`. Throws RangeError for one that is longer than any may be. */
  *push(bytes: Uint8Array): Generator<Uint8Array> {
    let data = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes]);
    while (data.length >= lengthBytes) {
      const length = new DataView(data.buffer, data.byteOffset, lengthBytes).getUint32(0);
      if (length < lengthBytes || length > messageBytesMax) throw new RangeError('a message of an impossible length');
      if (data.length < length) break;
      yield data.subarray(0, length);
      data = data.subarray(length);
    }
    this.rest = data;
  }
}

/**
 * The events of an answer. Throws ProviderError for an exception that the service sends in their place, for a message whose
 * checksums do not hold, and for an end within a message.
 */
export async function* readAwsEvents(response: HttpStream, context: AnswerContext): AsyncGenerator<AwsEvent> {
  // Loaded when it is needed, as AWS's clients are.
  const { EventStreamCodec } = await import('@smithy/core/event-streams');
  const codec = new EventStreamCodec(
    (input) => (typeof input === 'string' ? input : decoder.decode(input)),
    (input) => encoder.encode(input),
  );
  const framer = new MessageFramer();
  try {
    for await (const bytes of response.body) {
      for (const message of framer.push(bytes)) {
        const { headers, body } = codec.decode(message);
        const data = parseExact(decoder.decode(body) || '{}');
        yield eventOf(headers, fieldsOf(data), context);
      }
    }
  } catch (error) {
    if (error instanceof ProviderError || error instanceof HttpFailure) throw error;
    throw new ProviderError(badResponse(response.status, `${context.provider} sent a message that is damaged.`));
  }
  if (framer.isWithin) throw brokenStream(context);
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

type MessageHeaders = Readonly<Record<string, { value: unknown } | undefined>>;

function eventOf(headers: MessageHeaders, data: Fields, context: AnswerContext): AwsEvent {
  const header = (name: string): string => {
    const value = headers[name]?.value;
    return typeof value === 'string' ? value : '';
  };
  const kind = header(':message-type');
  if (kind === 'event') return { type: header(':event-type'), data };
  // An exception is one of the model's, an error one of the protocol's.
  const word = kind === 'exception' ? header(':exception-type') : header(':error-code');
  const name = word.slice(0, 1).toUpperCase() + word.slice(1);
  const message = String(data.message ?? data.originalMessage ?? header(':error-message'));
  const status = Object.hasOwn(statuses, name) ? (statuses[name] ?? null) : null;
  throw new ProviderError(failureOfAws({ name, message, status, headers: {} }, 'call', context));
}

/** The statuses of these exceptions when they come before the stream (service model of bedrock-runtime). */
const statuses: Readonly<Record<string, number>> = {
  InternalServerException: 500,
  ModelStreamErrorException: 424,
  ModelTimeoutException: 408,
  ServiceUnavailableException: 503,
  ThrottlingException: 429,
  ValidationException: 400,
};

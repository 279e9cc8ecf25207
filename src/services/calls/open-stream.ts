import { type AnswerStream, type Failed, ProviderError, type StreamPiece } from '../../../providers/contract.ts';
import { type Failure, refusal } from '../../core/failure.ts';
import type { Send } from './attempts.ts';

/** A stream of which the first piece is there: from here on the call stays with its candidate. */
export interface OpenedStream {
  ok: true;
  requestId: string | null;
  first: StreamPiece;
  rest: AsyncIterator<StreamPiece>;
}

/** Opens a stream and waits for its first piece, so that whatever goes wrong before it can still go elsewhere. */
export function openStream(options: Readonly<Record<string, unknown>>): Send<OpenedStream> {
  return async (provider, request, call) => {
    if (provider.immediate === undefined) throw new Error('a gate without an immediate API');
    const opened = await provider.immediate.stream(request, options, call);
    return opened.ok ? await withFirstPiece(provider.name, opened) : opened;
  };
}

async function withFirstPiece(provider: string, opened: AnswerStream): Promise<OpenedStream | Failed> {
  const rest = opened.pieces[Symbol.asyncIterator]();
  try {
    const first = await rest.next();
    if (first.done !== true) return { ok: true, requestId: opened.requestId, first: first.value, rest };
    return asFailed(brokenOff(provider, opened.status));
  } catch (error) {
    return asFailed(streamFailure(error, provider));
  }
}

function asFailed(failure: Failure): Failed {
  return { ok: false, failure, requestId: null, body: null, usage: null, rawUsage: null };
}

function brokenOff(provider: string, status: number | null): Failure {
  const failure = refusal('bad_response', 'bad_response', `${provider}: the stream ended before the answer did.`);
  return { ...failure, status, type: 'server_error', reachedProvider: true };
}

/** Why reading a stream failed. */
export function streamFailure(error: unknown, provider: string): Failure {
  return error instanceof ProviderError ? error.failure : brokenOff(provider, null);
}

import { SSE_DONE } from '../../core/sse.ts';
import { synthesizeStream } from '../../core/synthesize-stream.ts';
import type { Call } from './read-call.ts';

/** A finished answer as the events of the stream that was asked for. */
export async function* finishedEvents({ request, stream }: Call, body: string): AsyncGenerator<string> {
  yield* synthesizeStream(request.endpoint, body, stream?.usage === true);
  if (request.endpoint !== '/v1/responses') yield SSE_DONE;
}

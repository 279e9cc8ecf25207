import type { ParkedCallRow } from '../../ports/store-parked-calls.ts';
import type { WholeAnswer } from '../calls/answer.ts';
import type { Pending } from './park-request.ts';

/** Where a parked call can be asked for. */
export function callUrl(id: string): string {
  return `/batching/v1/calls/${id}`;
}

/** A parked call as its URL shows it. */
export function presentCall({ id, batchId, createdAt, status }: ParkedCallRow) {
  return {
    id,
    object: 'batching.call' as const,
    status: status === null ? ('pending' as const) : ('answered' as const),
    created_at: createdAt,
    batch_id: batchId,
    url: callUrl(id),
  };
}

/** The answer to a client whose answer is not there yet, in the way it understands. */
export function pendingAnswer(row: ParkedCallRow, pending: Pending, stopping: boolean): WholeAnswer {
  const headers = {
    'content-type': 'application/json',
    location: callUrl(row.id),
    'retry-after': '1',
    'x-weir-call': row.id,
  };
  if (pending === 'async') return { status: 202, headers, body: JSON.stringify(presentCall(row)) };
  const message = `The answer is not there yet. Send the same request again, or ask for ${callUrl(row.id)}: it is bought once.`;
  const body = JSON.stringify({
    message: 'The request is still being processed.',
    error: { message, type: 'request_pending', param: null, code: 'answer_pending' },
  });
  if (pending === '422') return { status: 422, headers: { ...headers, 'x-should-retry': 'true' }, body };
  return { status: stopping ? 503 : 408, headers: { ...headers, 'x-should-retry': 'true' }, body };
}

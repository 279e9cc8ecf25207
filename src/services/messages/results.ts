import { ApiError } from '../../core/api-error.ts';
import { isTerminal } from '../../core/batch-state.ts';
import { BUDGET_EXCEEDED } from '../../core/budget-scope.ts';
import type { Fields } from '../../core/fields.ts';
import { LineFramer } from '../../core/jsonl.ts';
import { messageOfChat, messagesError } from '../../core/messages-answer.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { ResultLine } from '../../protocol/result-line.ts';
import { batchOutput } from '../batches/output.ts';
import { retrieveMessageBatch } from './batches.ts';

/** The results of an ended batch as JSONL, in the order of its requests. Throws ApiError 400 before its end, 410 when they are gone. */
export async function messageResults(deps: Deps, context: Context, id: string): Promise<AsyncIterable<Uint8Array>> {
  const batch = await retrieveMessageBatch(deps, context, id);
  if (!isTerminal(batch.status)) {
    throw new ApiError(400, 'The batch has not ended: it has no results yet.', { code: 'batch_not_ended' });
  }
  const { bytes } = await batchOutput(deps, context, batch.id, { follow: false });
  return resultLines(bytes);
}

async function* resultLines(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let lines: string[] = [];
  const framer = new LineFramer(Number.MAX_SAFE_INTEGER, (line) => {
    if (line !== null && line.length > 0) lines.push(resultText(line));
  });
  for await (const chunk of bytes) {
    framer.push(chunk);
    if (lines.length > 0) yield Buffer.from(lines.join(''));
    lines = [];
  }
  framer.end();
  if (lines.length > 0) yield Buffer.from(lines.join(''));
}

function resultText(line: Uint8Array): string {
  const text = Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString('utf8');
  const { custom_id: id, response, error } = JSON.parse(text) as ResultLine;
  return `${JSON.stringify({ custom_id: id, result: resultOf(response, error) })}\n`;
}

function resultOf(response: ResultLine['response'], error: ResultLine['error']): Fields {
  if (response !== null && response.status_code < 400 && error === null) {
    return { type: 'succeeded', message: messageOfChat(response.body as Fields) };
  }
  if (error?.code === 'batch_cancelled') return { type: 'canceled' };
  if (error?.code === 'batch_expired') return { type: 'expired' };
  const status = response?.status_code ?? (error?.code === BUDGET_EXCEEDED ? 402 : 500);
  return {
    type: 'errored',
    error: messagesError(status, error?.message ?? 'The request failed.', response?.request_id ?? null),
  };
}

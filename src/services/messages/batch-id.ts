import { ApiError } from '../../core/api-error.ts';

/** A batch's id as Anthropic's clients know it. */
export function toMessageId(id: string): string {
  return id.replace(/^batch_/, 'msgbatch_');
}

/** The id of a batch from what such a client sent. Throws ApiError 404. */
export function toBatchId(id: string): string {
  if (!id.startsWith('msgbatch_')) throw noMessageBatch(id);
  return id.replace(/^msgbatch_/, 'batch_');
}

export function noMessageBatch(id: string): ApiError {
  return new ApiError(404, `There is no message batch '${id.slice(0, 128)}'.`, { code: 'not_found', param: 'id' });
}

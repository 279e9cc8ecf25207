import { type Fields, fieldsOf, listOf } from '../../src/core/fields.ts';
import type { Endpoint } from '../../src/protocol/endpoint.ts';
import type { StreamPiece } from '../contract.ts';
import type { ChatPiece } from './chat-chunks.ts';
import { completionFinish, completionId } from './responses-as-chat-completions.ts';
import { ResponsePieces } from './responses-as-chat-events.ts';

/** The chunks of a chat completion in the form of the endpoint that was asked; one for each stream. */
export interface EndpointPieces {
  push(piece: ChatPiece): Iterable<StreamPiece>;
  /** What says that the answer is whole, where it is said apart. */
  end(): Iterable<StreamPiece>;
}

export function piecesFor(endpoint: Endpoint): EndpointPieces {
  if (endpoint === '/v1/responses') return new ResponsePieces();
  const write = endpoint === '/v1/completions' ? textChunk : (chunk: Fields): Fields => chunk;
  return {
    *push({ chunk, ...known }) {
      const written = write(chunk);
      if (written !== null) yield { ...known, event: null, data: JSON.stringify(written) };
    },
    end: () => [],
  };
}

/** A chunk of /v1/completions; null where it would say nothing. */
function textChunk({ id, created, model, choices, usage }: Fields): Fields | null {
  const parts = listOf(choices).map(({ index, delta, finish_reason: finish }) => {
    const { content } = fieldsOf(delta);
    const text = typeof content === 'string' ? content : '';
    return { index, text, logprobs: null, finish_reason: completionFinish(finish) };
  });
  const isSilent = parts.length > 0 && parts.every(({ text, finish_reason: finish }) => text === '' && finish === null);
  if (isSilent) return null;
  return { id: completionId(id), object: 'text_completion', created, model, choices: parts, usage };
}

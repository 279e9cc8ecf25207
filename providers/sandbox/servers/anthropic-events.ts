import { isRecord } from './answer.ts';
import { textPieces } from './native-streams.ts';

type Fields = Record<string, unknown>;

/** A whole message as the events of its stream (@anthropic-ai/sdk, RawMessageStreamEvent). */
export function messageEvents(message: Fields): Fields[] {
  const { content, stop_reason, stop_sequence, stop_details, usage, ...head } = message;
  const counts = isRecord(usage) ? usage : null;
  const { output_tokens: output, output_tokens_details: details, ...input } = counts ?? {};
  const begun = { ...head, content: [], stop_reason: null, stop_sequence: null };
  const end = { stop_reason, stop_sequence, ...(stop_details !== undefined && { stop_details }) };
  return [
    { type: 'message_start', message: { ...begun, ...(counts && { usage: { ...input, output_tokens: 1 } }) } },
    { type: 'ping' },
    ...(content as Fields[]).flatMap((block, index) => blockEvents(block, index)),
    {
      type: 'message_delta',
      delta: end,
      ...(counts && { usage: { input_tokens: null, output_tokens: output, output_tokens_details: details ?? null } }),
    },
    { type: 'message_stop' },
  ];
}

function blockEvents(block: Fields, index: number): Fields[] {
  const { empty, deltas } = piecesOf(block);
  return [
    { type: 'content_block_start', index, content_block: empty },
    ...deltas.map((delta) => ({ type: 'content_block_delta', index, delta })),
    { type: 'content_block_stop', index },
  ];
}

function piecesOf(block: Fields): { empty: Fields; deltas: Fields[] } {
  switch (block.type) {
    case 'text': {
      const deltas = textPieces(String(block.text)).map((text) => ({ type: 'text_delta', text }));
      return { empty: { ...block, text: '' }, deltas };
    }
    case 'thinking': {
      const deltas: Fields[] = textPieces(String(block.thinking)).map((thinking) => ({
        type: 'thinking_delta',
        thinking,
      }));
      const signature = { type: 'signature_delta', signature: block.signature };
      return { empty: { ...block, thinking: '', signature: '' }, deltas: [...deltas, signature] };
    }
    case 'tool_use': {
      const json = JSON.stringify(block.input);
      // A tool without input brings no JSON at all.
      const pieces = json === '{}' ? [''] : ['', ...textPieces(json)];
      const deltas = pieces.map((piece) => ({ type: 'input_json_delta', partial_json: piece }));
      return { empty: { ...block, input: {} }, deltas };
    }
    default:
      return { empty: block, deltas: [] };
  }
}

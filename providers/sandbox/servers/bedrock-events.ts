import { EventStreamCodec } from '@smithy/core/event-streams';
import { isRecord } from './answer.ts';
import { messageEvents } from './anthropic-events.ts';
import { textPieces } from './native-streams.ts';

type Fields = Record<string, unknown>;

const codec = new EventStreamCodec(
  (input) => (typeof input === 'string' ? input : Buffer.from(input).toString('utf8')),
  (input) => Buffer.from(input),
);

/** A message of AWS's event stream: an event, or an exception. */
export function awsFrame(kind: 'event' | 'exception', type: string, data: object): Uint8Array {
  const text = (value: string) => ({ type: 'string' as const, value });
  const headers = {
    [`:${kind}-type`]: text(type),
    ':content-type': text('application/json'),
    ':message-type': text(kind),
  };
  return codec.encode({ headers, body: Buffer.from(JSON.stringify(data)) });
}

/** A whole answer as the frames of its stream: of ConverseStream, or of InvokeModelWithResponseStream. */
export function bedrockFrames(operation: 'converse' | 'invoke', output: Fields): Uint8Array[] {
  // Payloads are padded, so that their lengths tell nothing.
  if (operation === 'converse') {
    return converseEvents(output).map(({ type, data }) => awsFrame('event', type, { ...data, p: 'abcdefgh' }));
  }
  return messageEvents(output).map((event) => {
    const metrics = event.type === 'message_stop' ? { 'amazon-bedrock-invocationMetrics': { inputTokenCount: 1 } } : {};
    const bytes = Buffer.from(JSON.stringify({ ...event, ...metrics })).toString('base64');
    return awsFrame('event', 'chunk', { bytes, p: 'abc' });
  });
}

/** The events of ConverseStream (service model of bedrock-runtime, ConverseStreamOutput). */
export function converseEvents({ output, stopReason, usage, metrics }: Fields): { type: string; data: Fields }[] {
  const message = isRecord(output) && isRecord(output.message) ? output.message : {};
  const content = Array.isArray(message.content) ? (message.content as Fields[]) : [];
  return [
    { type: 'messageStart', data: { role: message.role } },
    ...content.flatMap(blockEvents),
    { type: 'messageStop', data: { stopReason } },
    { type: 'metadata', data: { ...(usage !== undefined && { usage }), metrics } },
  ];
}

/** Only tools are told of when they begin. */
function blockEvents(block: Fields, contentBlockIndex: number): { type: string; data: Fields }[] {
  const delta = (said: Fields) => ({ type: 'contentBlockDelta', data: { contentBlockIndex, delta: said } });
  const stop = { type: 'contentBlockStop', data: { contentBlockIndex } };
  const { text, toolUse, reasoningContent } = block;
  if (isRecord(toolUse)) {
    const { input, ...head } = toolUse;
    const json = JSON.stringify(input);
    const pieces = json === '{}' ? [''] : textPieces(json);
    const start = { type: 'contentBlockStart', data: { contentBlockIndex, start: { toolUse: head } } };
    return [start, ...pieces.map((piece) => delta({ toolUse: { input: piece } })), stop];
  }
  if (isRecord(reasoningContent) && isRecord(reasoningContent.reasoningText)) {
    const thoughts = textPieces(String(reasoningContent.reasoningText.text));
    const said = thoughts.map((thought) => delta({ reasoningContent: { text: thought } }));
    return [...said, delta({ reasoningContent: { signature: 's' } }), stop];
  }
  return [...textPieces(String(text ?? '')).map((piece) => delta({ text: piece })), stop];
}

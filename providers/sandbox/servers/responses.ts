import type {
  Response,
  ResponseOutputMessage,
  ResponseOutputText,
  ResponseStreamEvent,
  ResponseUsage,
} from 'openai/resources/responses/responses';
import {
  type Answer,
  answerId,
  answerTime,
  cachedTokens,
  isRecord,
  type Question,
  type StreamEvent,
  type WrittenText,
  writeAnswer,
} from './answer.ts';
import { splitIntoPieces } from './text.ts';

/** Answers /v1/responses with one message; every other item kind is left to real models. */
export function answerResponse(question: Question): Answer {
  const written = writeAnswer(question);
  const final = responseObject(question, written);
  return {
    object: final,
    events: () => responseEvents(question, final, written.text),
    tokensIn: question.promptTokens,
    tokensOut: written.tokens,
    cachedTokens: cachedTokens(question.settings, question.promptTokens),
    finish: written.finish,
  };
}

// `output_text` is added by the SDK and is not on the wire.
type WireResponse = Omit<Response, 'output_text'>;

function responseObject(question: Question, written: WrittenText): WireResponse {
  const { body } = question;
  const usage = responseUsage(question, written.tokens);
  return {
    id: answerId('resp_', question),
    object: 'response',
    created_at: answerTime(question),
    status: statusOf(written),
    error: written.finish === 'abort' ? { code: 'server_error', message: 'The request was aborted.' } : null,
    incomplete_details: incompleteDetails(written),
    access_programs: null,
    instructions: typeof body.instructions === 'string' ? body.instructions : null,
    max_output_tokens: typeof body.max_output_tokens === 'number' ? body.max_output_tokens : null,
    metadata: isRecord(body.metadata) ? (body.metadata as Record<string, string>) : {},
    model: question.model,
    output: [outputMessage(question, [textPart(written.text)], written.finish === 'stop' ? 'completed' : 'incomplete')],
    parallel_tool_calls: body.parallel_tool_calls !== false,
    previous_response_id: typeof body.previous_response_id === 'string' ? body.previous_response_id : null,
    temperature: typeof body.temperature === 'number' ? body.temperature : 1,
    text: { format: { type: 'text' } },
    tool_choice: 'auto',
    tools: [],
    top_p: typeof body.top_p === 'number' ? body.top_p : 1,
    truncation: 'disabled',
    ...(usage && { usage }),
  };
}

function statusOf({ finish }: WrittenText): 'completed' | 'incomplete' | 'failed' {
  if (finish === 'stop') return 'completed';
  return finish === 'abort' ? 'failed' : 'incomplete';
}

function incompleteDetails({ finish }: WrittenText): Response.IncompleteDetails | null {
  if (finish === 'length') return { reason: 'max_output_tokens' };
  return finish === 'content_filter' ? { reason: 'content_filter' } : null;
}

function outputMessage(
  question: Question,
  content: ResponseOutputText[],
  status: ResponseOutputMessage['status'],
): ResponseOutputMessage {
  return { id: answerId('msg_', question), type: 'message', role: 'assistant', status, content };
}

function textPart(text: string): ResponseOutputText {
  return { type: 'output_text', text, annotations: [], logprobs: [] };
}

function responseUsage({ settings, promptTokens }: Question, outputTokens: number): ResponseUsage | undefined {
  if (settings.usage === 'absent') return undefined;
  const told = settings.usage === 'zeros' ? 0 : 1;
  return {
    input_tokens: promptTokens * told,
    input_tokens_details: { cached_tokens: cachedTokens(settings, promptTokens), cache_write_tokens: 0 },
    output_tokens: outputTokens * told,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: (promptTokens + outputTokens) * told,
  };
}

type EventOf<Type extends ResponseStreamEvent['type']> = Omit<
  Extract<ResponseStreamEvent, { type: Type }>,
  'sequence_number' | 'response'
>;

function responseEvents(question: Question, final: WireResponse, text: string): StreamEvent[] {
  const events: StreamEvent[] = [];
  const push = <Type extends ResponseStreamEvent['type']>(
    event: EventOf<Type> & { type: Type },
    response?: WireResponse,
  ) => {
    events.push({
      name: event.type,
      data: { ...event, ...(response && { response }), sequence_number: events.length },
    });
  };
  const { usage: _usage, ...withoutUsage } = final;
  const started: WireResponse = {
    ...withoutUsage,
    status: 'in_progress',
    error: null,
    incomplete_details: null,
    output: [],
  };
  const message = final.output[0] as ResponseOutputMessage;
  const place = { item_id: message.id, output_index: 0, content_index: 0 };
  push<'response.created'>({ type: 'response.created' }, started);
  push<'response.in_progress'>({ type: 'response.in_progress' }, started);
  const opened = outputMessage(question, [], 'in_progress');
  push<'response.output_item.added'>({ type: 'response.output_item.added', output_index: 0, item: opened });
  push<'response.content_part.added'>({ type: 'response.content_part.added', ...place, part: textPart('') });
  for (const delta of splitIntoPieces(text)) {
    push<'response.output_text.delta'>({ type: 'response.output_text.delta', ...place, delta, logprobs: [] });
  }
  push<'response.output_text.done'>({ type: 'response.output_text.done', ...place, text, logprobs: [] });
  push<'response.content_part.done'>({ type: 'response.content_part.done', ...place, part: textPart(text) });
  push<'response.output_item.done'>({ type: 'response.output_item.done', output_index: 0, item: message });
  const status = final.status === 'failed' || final.status === 'incomplete' ? final.status : 'completed';
  push<`response.${typeof status}`>({ type: `response.${status}` }, final);
  return events;
}

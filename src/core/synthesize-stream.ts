import type { Endpoint } from '../protocol/endpoint.ts';
import { type Fields, fieldsOf, listOf } from './fields.ts';
import { sseText } from './sse.ts';

/**
 * A finished answer of OpenAI's shape as the server-sent events that a stream of it would have had. `usage`: the client
 * asked for the chunk with the usage. Yields the text of each event; what ends the stream is the caller's.
 */
export function* synthesizeStream(endpoint: Endpoint, body: string, usage: boolean): Generator<string> {
  const answer = JSON.parse(body) as Fields;
  if (endpoint === '/v1/responses') yield* responseEvents(answer);
  else if (endpoint === '/v1/chat/completions') yield* chunks(answer, 'chat.completion.chunk', chatDeltas, usage);
  else yield* chunks(answer, 'text_completion', textDeltas, usage);
}

function* chunks(
  answer: Fields,
  object: string,
  deltas: (choice: Fields) => Generator<Fields>,
  usage: boolean,
): Generator<string> {
  const { choices, usage: counts, object: _object, ...head } = answer;
  const chunk = (list: Fields[], last: Fields = {}): string =>
    sseText({
      event: null,
      data: JSON.stringify({ ...head, object, choices: list, ...(usage && { usage: null }), ...last }),
    });
  for (const choice of listOf(choices)) {
    const { index, finish_reason: finish, logprobs } = choice;
    for (const part of deltas(choice)) yield chunk([{ index, ...part, logprobs: null, finish_reason: null }]);
    const empty = object === 'text_completion' ? { text: '' } : { delta: {} };
    yield chunk([{ index, ...empty, logprobs: logprobs ?? null, finish_reason: finish ?? 'stop' }]);
  }
  if (usage) yield chunk([], { usage: counts ?? null });
}

function* chatDeltas({ message }: Fields): Generator<Fields> {
  const { role, content, tool_calls: calls, ...others } = fieldsOf(message);
  yield { delta: { role: role ?? 'assistant', ...(typeof content === 'string' && { content: '' }) } };
  // Reasoning, refusals and whatever else a provider says, before the content as in a real stream.
  for (const [name, value] of Object.entries(others)) {
    if (value !== null && !(Array.isArray(value) && value.length === 0)) yield { delta: { [name]: value } };
  }
  if (typeof content === 'string') for (const piece of pieces(content)) yield { delta: { content: piece } };
  else if (content !== null && content !== undefined) yield { delta: { content } };
  for (const [index, call] of listOf(calls).entries()) {
    const { function: called, ...rest } = call;
    const { name, arguments: text } = fieldsOf(called);
    yield {
      delta: { tool_calls: [{ index, ...rest, ...(called !== undefined && { function: { name, arguments: '' } }) }] },
    };
    if (called === undefined) continue;
    for (const piece of pieces(String(text ?? ''))) {
      yield { delta: { tool_calls: [{ index, function: { arguments: piece } }] } };
    }
  }
}

function* textDeltas({ text }: Fields): Generator<Fields> {
  for (const piece of pieces(String(text ?? ''))) yield { text: piece };
}

/** Text in pieces of some length, never within a surrogate pair. */
function* pieces(text: string): Generator<string> {
  const length = 64;
  for (let start = 0; start < text.length; ) {
    let end = Math.min(text.length, start + length);
    if (end < text.length && /[\uD800-\uDBFF]/.test(text[end - 1] ?? '')) end += 1;
    yield text.slice(start, end);
    start = end;
  }
}

/** The events of the Responses API (openai-node, resources/responses, ResponseStreamEvent). */
function* responseEvents(answer: Fields): Generator<string> {
  let number = 0;
  const event = (type: string, members: Fields): string =>
    sseText({ event: type, data: JSON.stringify({ type, sequence_number: number++, ...members }) });
  const { usage: _usage, ...started } = answer;
  const opening = { ...started, status: 'in_progress', output: [], usage: null, incomplete_details: null };
  yield event('response.created', { response: opening });
  yield event('response.in_progress', { response: opening });
  for (const [index, item] of listOf(answer.output).entries()) {
    const place = { item_id: item.id, output_index: index };
    yield event('response.output_item.added', { output_index: index, item: emptied(item) });
    if (item.type === 'message') {
      for (const [part, content] of listOf(item.content).entries()) {
        yield* contentEvents(event, { ...place, content_index: part }, content);
      }
    } else if (item.type === 'function_call') {
      const text = String(item.arguments ?? '');
      for (const delta of pieces(text)) yield event('response.function_call_arguments.delta', { ...place, delta });
      yield event('response.function_call_arguments.done', { ...place, name: item.name, arguments: text });
    } else if (item.type === 'reasoning') {
      for (const [part, summary] of listOf(item.summary).entries()) {
        yield* summaryEvents(event, { ...place, summary_index: part }, summary);
      }
    }
    yield event('response.output_item.done', { output_index: index, item });
  }
  const end = answer.status === 'incomplete' ? 'response.incomplete' : 'response.completed';
  yield event(end, { response: answer });
}

type MakeEvent = (type: string, members: Fields) => string;

/** An item as it stands before its content came. */
function emptied(item: Fields): Fields {
  if (item.type === 'message') return { ...item, status: 'in_progress', content: [] };
  if (item.type === 'function_call') return { ...item, status: 'in_progress', arguments: '' };
  return item.type === 'reasoning' ? { ...item, summary: [] } : item;
}

function* contentEvents(event: MakeEvent, place: Fields, content: Fields): Generator<string> {
  const isText = content.type === 'output_text';
  const text = String((isText ? content.text : content.refusal) ?? '');
  const empty = isText ? { ...content, text: '', annotations: [] } : { ...content, refusal: '' };
  yield event('response.content_part.added', { ...place, part: empty });
  if (isText) {
    for (const delta of pieces(text)) yield event('response.output_text.delta', { ...place, delta, logprobs: [] });
    for (const [index, annotation] of listOf(content.annotations).entries()) {
      yield event('response.output_text.annotation.added', { ...place, annotation_index: index, annotation });
    }
    yield event('response.output_text.done', { ...place, text, logprobs: [] });
  } else {
    for (const delta of pieces(text)) yield event('response.refusal.delta', { ...place, delta });
    yield event('response.refusal.done', { ...place, refusal: text });
  }
  yield event('response.content_part.done', { ...place, part: content });
}

function* summaryEvents(event: MakeEvent, place: Fields, summary: Fields): Generator<string> {
  const text = String(summary.text ?? '');
  yield event('response.reasoning_summary_part.added', { ...place, part: { ...summary, text: '' } });
  for (const delta of pieces(text)) yield event('response.reasoning_summary_text.delta', { ...place, delta });
  yield event('response.reasoning_summary_text.done', { ...place, text });
  yield event('response.reasoning_summary_part.done', { ...place, part: summary });
}

import type { Endpoint } from '../protocol/endpoint.ts';
import { isFields } from './fields.ts';
import type { HealingRules } from './lane.ts';
import { schemaProblem } from './schema-check.ts';

type Fields = Readonly<Record<string, unknown>>;

/** A defect, and what it is in words that end a sentence. */
interface Found {
  defect: keyof HealingRules;
  detail: string;
}

/** One alternative of an answer, in whatever shape its endpoint gives it. */
interface Choice {
  text: string | null;
  /** The model's own words of refusal. */
  refusal: string | null;
  end: string | null;
  /** It asks for tools: what it says beside that is not the answer yet. */
  callsTools: boolean;
}

const SHOWN = 200;
/** What the client is to run; other calls of a response ran at the provider, and its text came after them. */
const CLIENT_CALLS: ReadonlySet<string> = new Set([
  'computer_call',
  'custom_tool_call',
  'function_call',
  'local_shell_call',
  'mcp_approval_request',
]);

/**
 * The first defect of an answer that a rule speaks of. OpenAI API reference: `finish_reason` (`length`,
 * `content_filter`) and `message.refusal` of chat completions; `incomplete_details.reason` (`max_output_tokens`,
 * `content_filter`) and `refusal` content of responses.
 */
export function defectOf(
  { endpoint, request, body }: { endpoint: Endpoint; request: Fields; body: string },
  rules: HealingRules,
): Found | null {
  if (rules.truncation === undefined && rules.invalid_json === undefined && rules.refusal === undefined) return null;
  const choices = choicesOf(endpoint, JSON.parse(body) as Fields);
  const refused = rules.refusal && choices.find(({ refusal, end }) => refusal !== null || end === 'content_filter');
  if (refused) {
    const words =
      refused.refusal === null ? 'a content filter stopped it' : `the model refused: ${shown(refused.refusal)}`;
    return { defect: 'refusal', detail: words };
  }
  const isCut = choices.some(({ end }) => end === 'length' || end === 'max_output_tokens');
  if (rules.truncation && isCut) return { defect: 'truncation', detail: 'it was cut off by its length limit' };
  if (rules.invalid_json === undefined) return null;
  const wanted = formatOf(endpoint, request);
  if (wanted === null) return null;
  for (const { text, refusal, callsTools } of choices) {
    const problem = callsTools || refusal !== null ? null : problemOf(text ?? '', wanted);
    if (problem !== null) return { defect: 'invalid_json', detail: problem };
  }
  return null;
}

/** How many tokens an answer of one choice has, as it says itself; null where it has several or does not say. */
export function answerTokens({ body }: { body: string }): number | null {
  const { usage, choices } = JSON.parse(body) as Fields;
  if (items(choices).length > 1 || !isFields(usage)) return null;
  const tokens = usage.completion_tokens ?? usage.output_tokens;
  if (typeof tokens !== 'number') return null;
  // Google's OpenAI-compatible API counts what was thought in the total alone.
  const rest = Number(usage.total_tokens) - Number(usage.prompt_tokens ?? usage.input_tokens);
  return Math.max(tokens, Number.isFinite(rest) ? rest : 0);
}

function choicesOf(endpoint: Endpoint, body: Fields): Choice[] {
  if (endpoint === '/v1/responses') return [responseAsChoice(body)];
  return items(body.choices).map((choice) => {
    const message = isFields(choice.message) ? choice.message : {};
    const callsTools = items(message.tool_calls).length > 0 || isFields(message.function_call);
    const text = contentText(message.content) ?? asText(choice.text);
    return { text, refusal: asText(message.refusal) || null, end: asText(choice.finish_reason), callsTools };
  });
}

/** Some servers answer in parts, with their thoughts among them. */
function contentText(content: unknown): string | null {
  if (!Array.isArray(content)) return asText(content);
  return items(content)
    .map(({ text }) => asText(text) ?? '')
    .join('');
}

function responseAsChoice(body: Fields): Choice {
  const output = items(body.output);
  const content = output.flatMap((item) => items(item.content));
  const texts = content.filter(({ type }) => type === 'output_text').map(({ text }) => asText(text) ?? '');
  const refusal = content.find(({ type }) => type === 'refusal');
  return {
    text: texts.length === 0 ? null : texts.join(''),
    refusal: refusal === undefined ? null : (asText(refusal.refusal) ?? ''),
    end: isFields(body.incomplete_details) ? asText(body.incomplete_details.reason) : null,
    callsTools: output.some(({ type }) => CLIENT_CALLS.has(asText(type) ?? '')),
  };
}

/** The JSON that a request asks for: by schema, or any object; null when it asks for none. */
function formatOf(endpoint: Endpoint, request: Fields): { schema: Fields | null } | null {
  const format =
    endpoint === '/v1/responses' ? (isFields(request.text) ? request.text.format : null) : request.response_format;
  if (!isFields(format)) return guidedFormatOf(request);
  if (format.type === 'json_object') return { schema: null };
  if (format.type !== 'json_schema') return null;
  const holder = endpoint === '/v1/responses' ? format : isFields(format.json_schema) ? format.json_schema : {};
  return { schema: isFields(holder.schema) ? holder.schema : null };
}

/** vLLM's own: `structured_outputs: {json, json_object}`, and `guided_json` of older ones; the schema may be its JSON. */
function guidedFormatOf({
  structured_outputs: outputs,
  guided_json: guided,
}: Fields): { schema: Fields | null } | null {
  const { json = guided, json_object: anyObject } = isFields(outputs) ? outputs : {};
  if (isFields(json)) return { schema: json };
  if (typeof json !== 'string') return anyObject === true ? { schema: null } : null;
  try {
    const schema: unknown = JSON.parse(json);
    return isFields(schema) ? { schema } : null;
  } catch {
    return null;
  }
}

function problemOf(text: string, { schema }: { schema: Fields | null }): string | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'it is not JSON, which the request asks for';
  }
  if (schema === null) return isFields(value) ? null : 'it is JSON, but not the object that the request asks for';
  const problem = schemaProblem(schema, value);
  return problem === null ? null : `it does not fit the request's schema at ${shown(problem)}`;
}

function items(list: unknown): Fields[] {
  return Array.isArray(list) ? list.filter(isFields) : [];
}

function asText(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function shown(text: string): string {
  return text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}…`;
}

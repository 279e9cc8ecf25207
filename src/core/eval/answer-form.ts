import { type Fields, fieldsOf } from '../fields.ts';
import { schemaProblem } from '../schema-check.ts';

/** The JSON that requests with these parameters ask for: by a schema, or any object; null when they ask for none. */
export interface AnswerForm {
  schema: Fields | null;
}

/**
 * OpenAI API reference: `response_format` of chat completions (`json_object`, or `json_schema` with the schema within
 * `json_schema`), `text.format` of responses.
 */
export function answerFormOf(params: Fields): AnswerForm | null {
  const ofChat = fieldsOf(params.response_format);
  const format = ofChat.type === undefined ? fieldsOf(fieldsOf(params.text).format) : ofChat;
  if (format.type === 'json_object') return { schema: null };
  if (format.type !== 'json_schema') return null;
  const { schema } = ofChat.type === undefined ? format : fieldsOf(format.json_schema);
  return { schema: schema === undefined ? null : fieldsOf(schema) };
}

/** Whether an answer has the form that was asked for. `outputJson` is undefined where it is no JSON. */
export function hasForm({ schema }: AnswerForm, outputJson: unknown): boolean {
  if (outputJson === undefined) return false;
  if (schema !== null) return schemaProblem(schema, outputJson) === null;
  return typeof outputJson === 'object' && outputJson !== null && !Array.isArray(outputJson);
}

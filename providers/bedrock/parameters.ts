import { isFields } from '../shared/error-body.ts';
import { type Draft, warnOnce } from './draft.ts';
import { addMessages } from './messages.ts';
import { invalid, unsupported } from './refused.ts';
import { addToolChoice, addTools } from './tools.ts';

type Apply = (value: unknown, draft: Draft, name: string) => void;

/** Changes nothing in the answer that a client could rely on: left out, and said. */
const drop: Apply = (_value, draft, name) => warnOnce(draft, `${name} was left out: Bedrock does not know it`);

/** Of these an empty object asks for the thing itself, with its defaults. */
const ASKED_FOR_BY_PRESENCE: ReadonlySet<string> = new Set(['web_search_options']);

/** Would change the answer: refused unless the value asks for what happens anyway. */
function only(...neutral: unknown[]): Apply {
  return (value, draft, name) => {
    const isEmpty = isFields(value) && Object.keys(value).length === 0;
    if (neutral.includes(value) || (isEmpty && !ASKED_FOR_BY_PRESENCE.has(name))) return;
    throw unsupported(name, `'${name}' has no equivalent for ${draft.model}. Remove it, or list it in drop_params.`);
  };
}

const handledElsewhere: Apply = () => {};

const stream: Apply = (value, draft) => {
  if (value === true) warnOnce(draft, 'stream was left out: a batch answers each request as a whole');
};

function number(target: string, least: number, most: number): Apply {
  return (value, draft, name) => {
    if (typeof value !== 'number' || !(value >= least)) throw invalid(name, `${name} must be a number from ${least}.`);
    if (value > most) throw unsupported(name, `'${name}' may be ${least} to ${most} for ${draft.model}, not ${value}.`);
    draft.inference[target] = value;
  };
}

const stop: Apply = (value, draft) => {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  if (!list.every((text) => typeof text === 'string' && text !== '')) {
    throw invalid('stop', 'stop must be a text or a list of texts, none of them empty.');
  }
  if (list.length > 0) draft.inference.stopSequences = list;
};

const maxTokens: Apply = (value, draft, name) => {
  if (!Number.isSafeInteger(value) || Number(value) < 1) throw invalid(name, `${name} must be a whole number from 1.`);
  // OpenAI's newer name wins where both are stated.
  if (name === 'max_completion_tokens' || draft.inference.maxTokens === undefined) draft.inference.maxTokens = value;
};

const topK: Apply = (value, draft) => {
  if (draft.family.topK === 'nova') draft.extra.inferenceConfig = { topK: value };
  else if (draft.family.topK === 'field') draft.extra.top_k = value;
  else
    throw unsupported('top_k', `'top_k' has no equivalent for ${draft.model}. Remove it, or list it in drop_params.`);
};

const reasoningEffort: Apply = (value, draft) => {
  const { effort } = draft.family;
  const isGraded = value === 'low' || value === 'medium' || value === 'high';
  if (effort === 'field' && isGraded) draft.extra.reasoning_effort = value;
  else if (effort === 'nova' && isGraded) draft.extra.reasoningConfig = { type: 'enabled', maxReasoningEffort: value };
  else if (effort === 'nova' && value === 'none') draft.extra.reasoningConfig = { type: 'disabled' };
  else
    throw unsupported('reasoning_effort', `'reasoning_effort: ${String(value)}' has no equivalent for ${draft.model}.`);
};

/** Converse, OutputConfig: the schema travels as JSON text. */
const responseFormat: Apply = (value, draft) => {
  const type = isFields(value) ? value.type : value;
  if (type === 'text') return;
  const stated = isFields(value) ? value.json_schema : undefined;
  if (type !== 'json_schema' || draft.family.schema !== true) {
    throw unsupported(
      'response_format',
      `'response_format' of type ${String(type)} has no equivalent for ${draft.model}.`,
    );
  }
  if (!isFields(stated) || !isFields(stated.schema)) {
    throw invalid('response_format', 'response_format.json_schema.schema must be an object.');
  }
  const { name, description } = stated;
  const jsonSchema = {
    schema: JSON.stringify(stated.schema),
    ...(typeof name === 'string' && { name }),
    ...(typeof description === 'string' && description !== '' && { description }),
  };
  draft.outputConfig = { textFormat: { type: 'json_schema', structure: { jsonSchema } } };
};

const serviceTier: Apply = (value, draft, name) => {
  if (value === 'auto' || value === 'default') return;
  throw unsupported(
    name,
    `'service_tier' may be auto or default for ${draft.model}: other tiers have other prices, which the ledger could not account for.`,
  );
};

const modalities: Apply = (value, draft, name) => {
  if (Array.isArray(value) && value.length === 1 && value[0] === 'text') return;
  throw unsupported(name, `'modalities' may only be ["text"] for ${draft.model}.`);
};

const deprecated: Apply = (_value, _draft, name) => {
  throw unsupported(name, `'${name}' is deprecated and has no equivalent. Use tools and tool_choice.`);
};

/** Every parameter of OpenAI's chat completions, and some that clients of other services send; any other is refused. */
const parameters: ReadonlyMap<string, Apply> = new Map<string, Apply>([
  ['messages', addMessages],
  ['max_tokens', maxTokens],
  ['max_completion_tokens', maxTokens],
  ['temperature', number('temperature', 0, 1)],
  ['top_p', number('topP', 0, 1)],
  ['top_k', topK],
  ['stop', stop],
  ['tools', addTools],
  ['tool_choice', handledElsewhere],
  ['parallel_tool_calls', only(true)],
  ['functions', deprecated],
  ['function_call', deprecated],
  ['response_format', responseFormat],
  ['reasoning_effort', reasoningEffort],
  ['n', only(1)],
  ['logprobs', only(false)],
  ['top_logprobs', only(0)],
  ['logit_bias', only()],
  ['frequency_penalty', only(0)],
  ['presence_penalty', only(0)],
  ['modalities', modalities],
  ['audio', only()],
  ['web_search_options', only()],
  ['verbosity', only('medium')],
  ['moderation', only()],
  ['service_tier', serviceTier],
  ['stream', stream],
  ['stream_options', handledElsewhere],
  ['seed', drop],
  ['user', drop],
  ['safety_identifier', drop],
  ['metadata', drop],
  ['store', (value, draft, name) => value !== false && drop(value, draft, name)],
  ['prediction', drop],
  ['prompt_cache_key', drop],
  ['prompt_cache_retention', drop],
  ['prompt_cache_options', drop],
]);

/** Fills the draft from a chat request. Throws Refused with the name of the first parameter that cannot be expressed. */
export function applyParameters(body: Readonly<Record<string, unknown>>, draft: Draft): void {
  for (const name of Object.keys(body)) {
    const value = body[name];
    if (name === 'model' || value === null || value === undefined) continue;
    const apply = parameters.get(name);
    if (apply === undefined) {
      throw unsupported(name, `'${name}' is not known for ${draft.model}. Remove it, or list it in drop_params.`);
    }
    apply(value, draft, name);
  }
  if (body.messages === undefined || body.messages === null) throw invalid('messages', 'messages is missing.');
  if (body.tool_choice !== undefined && body.tool_choice !== null) addToolChoice(body.tool_choice, draft);
}

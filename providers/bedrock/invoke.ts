/**
 * Converse requests in the form that InvokeModel takes from a family of models, for batch jobs that are not of type
 * Converse. Pure. Source: the user guide's inference request parameters of each family.
 */
import { parseExact } from '../../src/core/exact-json.ts';
import { isFields } from '../shared/error-body.ts';
import type { InvokeForm } from './models.ts';
import { type PromptTurn, promptTemplates } from './prompts.ts';
import { type Refused, unsupported } from './refused.ts';

type Fields = Readonly<Record<string, unknown>>;

/** What `converseBody` writes. */
interface Converse {
  messages: { role: 'user' | 'assistant'; content: Fields[] }[];
  system?: Fields[];
  inferenceConfig?: { maxTokens?: number; temperature?: number; topP?: number; stopSequences?: string[] };
  toolConfig?: { tools: { toolSpec: Fields }[]; toolChoice?: Fields };
  outputConfig?: { textFormat: { structure: { jsonSchema: Fields } } };
  additionalModelRequestFields?: Fields;
}

/** Llama's InvokeModel ends an answer after 512 tokens unless told otherwise, and takes no more than this. */
const llamaTokensMax = 2048;

/** The body of a chat request for InvokeModel. Throws Refused with the parameter that only Converse expresses. */
export function invokeBody(form: InvokeForm, converse: string, model: string): string {
  const request = parseExact(converse) as Converse;
  switch (form) {
    case 'llama2':
    case 'llama3':
    case 'llama4':
      return JSON.stringify(llamaBody(form, request, model));
    case 'mistral':
      return JSON.stringify(mistralBody(request, model));
    case 'titan-text':
      return JSON.stringify(titanBody(request, model));
    case 'nova':
      return JSON.stringify(novaBody(request));
    case 'mistral-chat':
      return JSON.stringify(chatBody(request, model, 'max_tokens'));
    case 'openai-chat':
      return JSON.stringify(chatBody(request, model, 'max_completion_tokens'));
  }
}

function llamaBody(form: 'llama2' | 'llama3' | 'llama4', request: Converse, model: string): Fields {
  const { maxTokens = llamaTokensMax, temperature, topP, stopSequences } = request.inferenceConfig ?? {};
  if (stopSequences !== undefined) throw onlyConverse('stop', model);
  if (maxTokens > llamaTokensMax) throw onlyConverse('max_tokens', model, `above ${llamaTokensMax}`);
  const prompt = promptOf(form, request, model);
  return { prompt, max_gen_len: maxTokens, temperature, top_p: topP };
}

function mistralBody(request: Converse, model: string): Fields {
  const { maxTokens, temperature, topP, stopSequences } = request.inferenceConfig ?? {};
  const prompt = promptOf('mistral', request, model);
  const { top_k } = request.additionalModelRequestFields ?? {};
  return { prompt, max_tokens: maxTokens, temperature, top_p: topP, top_k, stop: stopSequences };
}

function titanBody(request: Converse, model: string): Fields {
  const { maxTokens, temperature, topP, stopSequences } = request.inferenceConfig ?? {};
  const turns = turnsOf(request, model);
  const [first, ...more] = turns;
  // Titan's conversational form; one question alone is its prompt.
  const marked = turns.map(({ role, text }) => `${role === 'user' ? 'User' : 'Bot'}: ${text}`);
  const inputText = first !== undefined && more.length === 0 ? first.text : `${marked.join('\n')}\nBot:`;
  return { inputText, textGenerationConfig: { maxTokenCount: maxTokens, temperature, topP, stopSequences } };
}

/** Nova's own form is Converse's, but for where `top_k` stands. */
function novaBody({ additionalModelRequestFields: extra = {}, ...request }: Converse): Fields {
  const { inferenceConfig: more, ...others } = extra;
  const inferenceConfig = { ...request.inferenceConfig, ...(isFields(more) && more) };
  const isEmpty = Object.keys(inferenceConfig).length === 0;
  return { schemaVersion: 'messages-v1', ...request, ...others, ...(!isEmpty && { inferenceConfig }) };
}

/** The form of OpenAI's chat completions, without a model. */
function chatBody(request: Converse, model: string, limit: 'max_tokens' | 'max_completion_tokens'): Fields {
  const { maxTokens, temperature, topP, stopSequences } = request.inferenceConfig ?? {};
  const system = textOf(request.system ?? [], model);
  const messages = request.messages.flatMap(({ role, content }) =>
    role === 'user' ? userMessages(content, model) : [assistantMessage(content, model)],
  );
  const schema = request.outputConfig?.textFormat.structure.jsonSchema;
  return {
    messages: system === '' ? messages : [{ role: 'system', content: system }, ...messages],
    [limit]: maxTokens,
    temperature,
    top_p: topP,
    stop: stopSequences,
    ...request.additionalModelRequestFields,
    ...(request.toolConfig && { tools: request.toolConfig.tools.map(toFunction) }),
    ...(request.toolConfig?.toolChoice && { tool_choice: toToolChoice(request.toolConfig.toolChoice) }),
    ...(schema && {
      response_format: {
        type: 'json_schema',
        json_schema: { name: 'answer', ...schema, schema: parseExact(String(schema.schema)) },
      },
    }),
  };
}

/** Results of tools come first: they answer the assistant's turn before. */
function userMessages(content: readonly Fields[], model: string): Fields[] {
  const results = content.flatMap(({ toolResult }) =>
    isFields(toolResult)
      ? [{ role: 'tool', tool_call_id: toolResult.toolUseId, content: resultText(toolResult.content) }]
      : [],
  );
  const rest = content.filter((block) => !('toolResult' in block));
  return rest.length === 0 ? results : [...results, { role: 'user', content: textOf(rest, model) }];
}

function resultText(content: unknown): string {
  const blocks: unknown[] = Array.isArray(content) ? content : [];
  return blocks.map((block) => (isFields(block) ? (block.text ?? JSON.stringify(block.json)) : '')).join('');
}

function assistantMessage(content: readonly Fields[], model: string): Fields {
  const calls = content.flatMap(({ toolUse }) =>
    isFields(toolUse)
      ? [
          {
            id: toolUse.toolUseId,
            type: 'function',
            function: { name: toolUse.name, arguments: JSON.stringify(toolUse.input) },
          },
        ]
      : [],
  );
  const text = textOf(
    content.filter((block) => !('toolUse' in block)),
    model,
  );
  return { role: 'assistant', content: text, ...(calls.length > 0 && { tool_calls: calls }) };
}

function toFunction({ toolSpec }: { toolSpec: Fields }): Fields {
  const { name, description, inputSchema, strict } = toolSpec;
  const parameters = isFields(inputSchema) ? inputSchema.json : undefined;
  return { type: 'function', function: { name, description, parameters, strict } };
}

function toToolChoice(choice: Fields): unknown {
  if (isFields(choice.tool)) return { type: 'function', function: { name: choice.tool.name } };
  return choice.any === undefined ? 'auto' : 'required';
}

function promptOf(form: keyof typeof promptTemplates, request: Converse, model: string): string {
  const template = promptTemplates[form];
  const system = textOf(request.system ?? [], model);
  const turns = turnsOf(request, model);
  if ([system, ...turns.map(({ text }) => text)].some((text) => template.control.test(text))) {
    throw onlyConverse('messages', model, "with the marks of the model's own prompt format in them");
  }
  return template.render(system, turns);
}

function turnsOf({ messages, toolConfig, outputConfig }: Converse, model: string): PromptTurn[] {
  if (toolConfig !== undefined) throw onlyConverse('tools', model);
  if (outputConfig !== undefined) throw onlyConverse('response_format', model);
  const turns = messages.map(({ role, content }) => ({ role, text: textOf(content, model) }));
  if (turns[0]?.role !== 'user' || turns.at(-1)?.role !== 'user') {
    throw onlyConverse('messages', model, 'that do not begin and end with a user message');
  }
  return turns;
}

function textOf(blocks: readonly Fields[], model: string): string {
  return blocks
    .filter((block) => !('cachePoint' in block))
    .map((block) => {
      if (typeof block.text === 'string') return block.text;
      throw onlyConverse('messages', model, `with ${Object.keys(block)[0] ?? 'empty'} content`);
    })
    .join('');
}

function onlyConverse(param: string, model: string, detail = ''): Refused {
  const what = detail === '' ? `'${param}'` : `'${param}' ${detail}`;
  return unsupported(
    param,
    `Batch jobs ask ${model} through InvokeModel, which does not take ${what}.`,
    'unsupported_in_batch',
  );
}

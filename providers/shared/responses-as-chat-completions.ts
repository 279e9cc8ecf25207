import { escapeLineSeparators } from '../../src/core/jsonl.ts';
import { isFields } from './error-body.ts';
import { copyMember, type Fields, refuseForChat, refuseWrong } from './responses-as-chat-refusal.ts';

/** The default of `max_tokens` in OpenAI's completions (API reference), unlike chat's. */
const usualMaxTokens = 16;

/** Parameters without equivalent, with the values that ask for what happens anyway. */
const refused: Readonly<Record<string, readonly unknown[]>> = {
  best_of: [1],
  echo: [false],
  logprobs: [],
  suffix: [''],
};

/** A body of /v1/completions as a chat body: the prompt becomes the user's message. */
export function completionToChat(body: Fields, warnings: string[]): Fields {
  const chat: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(body)) {
    if (name === 'prompt') continue;
    if (!Object.hasOwn(refused, name)) copyMember(chat, name, value);
    else if (value !== null && value !== undefined && refused[name]?.includes(value) !== true) {
      refuseForChat(name, `'${name}' has no equivalent in chat completions, through which this provider is asked.`);
    }
  }
  const content = promptOf(body.prompt);
  warnings.push('prompt was sent as a message: the model answers it instead of continuing it');
  if (chat.max_tokens === undefined || chat.max_tokens === null) {
    chat.max_tokens = usualMaxTokens;
    warnings.push(`max_tokens was set to ${usualMaxTokens}, the default of /v1/completions`);
  }
  return { ...chat, messages: [{ role: 'user', content }] };
}

function promptOf(prompt: unknown): string {
  const prompts: unknown[] = Array.isArray(prompt) ? prompt : [prompt];
  const [first] = prompts;
  if (prompts.length === 1 && typeof first === 'string') return first;
  if (Array.isArray(prompt) && prompts.length > 1 && prompts.every((text) => typeof text === 'string')) {
    return refuseForChat('prompt', `'prompt' may hold one text here. Give each text a line of its own.`);
  }
  if (Array.isArray(prompt) && (typeof first === 'number' || Array.isArray(first))) {
    return refuseForChat('prompt', `'prompt' may not hold token ids: this provider takes text.`);
  }
  return refuseWrong('prompt', `'prompt' must be a string.`);
}

/** A chat completion as an answer of /v1/completions: one line of JSON. */
export function completionOfChat(completion: Fields): string {
  const { created, model, usage } = completion;
  const choices: unknown[] = Array.isArray(completion.choices) ? completion.choices : [];
  const answer = {
    id: completionId(completion.id),
    object: 'text_completion',
    created,
    model,
    choices: choices.filter(isFields).map((choice, index) => {
      const text = isFields(choice.message) ? choice.message.content : null;
      const finish = completionFinish(choice.finish_reason);
      return { index, text: typeof text === 'string' ? text : '', logprobs: null, finish_reason: finish };
    }),
    ...(usage !== undefined && { usage }),
  };
  return escapeLineSeparators(JSON.stringify(answer));
}

/** The id of an answer of /v1/completions, by that of its chat completion. */
export function completionId(id: unknown): string {
  return typeof id === 'string' ? `cmpl-${id}` : 'cmpl-unknown';
}

/** Why it ended: /v1/completions knows no tools. */
export function completionFinish(finish: unknown): unknown {
  return finish === 'tool_calls' ? 'stop' : finish;
}

import { isRecord, type RequestBody } from './answer.ts';

/** Families that InvokeModel asks in forms of their own, with the fields that their bodies may hold. */
type Family = 'llama' | 'mistral' | 'titan' | 'nova' | 'chat';

const fields: Readonly<Record<Family, readonly string[]>> = {
  llama: ['prompt', 'max_gen_len', 'temperature', 'top_p', 'images'],
  mistral: ['prompt', 'max_tokens', 'stop', 'temperature', 'top_p', 'top_k'],
  titan: ['inputText', 'textGenerationConfig'],
  nova: ['schemaVersion', 'messages', 'system', 'inferenceConfig', 'toolConfig', 'reasoningConfig'],
  chat: [
    'messages',
    'max_tokens',
    'max_completion_tokens',
    'temperature',
    'top_p',
    'stop',
    'tools',
    'tool_choice',
    'response_format',
    'reasoning_effort',
  ],
};

const families: readonly (readonly [RegExp, Family])[] = [
  [/meta\.llama/, 'llama'],
  [/mistral\.(mistral-7b|mixtral)/, 'mistral'],
  [/titan-text/, 'titan'],
  [/amazon\.nova/, 'nova'],
  [/mistral\.|openai\.|qwen\.|deepseek\.v3/, 'chat'],
];

function familyOf(model: string): Family | null {
  return families.find(([pattern]) => pattern.test(model))?.[1] ?? null;
}

/** Why InvokeModel would refuse the body of a chat model; null when it would not. */
export function checkInvoked(model: string, body: RequestBody): string | null {
  const family = familyOf(model);
  if (family === null) return 'The provided model identifier is invalid.';
  const unknown = Object.keys(body).find((name) => !fields[family].includes(name));
  if (unknown !== undefined) return `Malformed input request: extraneous key [${unknown}] is not permitted`;
  const asks = {
    llama: body.prompt,
    mistral: body.prompt,
    titan: body.inputText,
    nova: body.messages,
    chat: body.messages,
  };
  if (asks[family] === undefined || asks[family] === '') return 'Malformed input request: required key not found';
  if (family === 'llama' && Number(body.max_gen_len ?? 1) > 2048) return 'max_gen_len must be at most 2048.';
  if (family === 'llama' && !/(assistant<\|(end_header_id|header_end)\|>\n\n|\[\/INST\])$/.test(String(body.prompt))) {
    return 'The prompt does not end where the model is to go on.';
  }
  if (family === 'mistral' && !/^<s>\[INST\][\s\S]*\[\/INST\]$/.test(String(body.prompt))) {
    return 'The prompt is no instruction.';
  }
  return null;
}

/** The most tokens that a body asks for. */
export function invokedLimit(body: RequestBody): number {
  const titan = isRecord(body.textGenerationConfig) ? body.textGenerationConfig : {};
  const nova = isRecord(body.inferenceConfig) ? body.inferenceConfig : {};
  const stated = [body.max_gen_len, body.max_tokens, body.max_completion_tokens, titan.maxTokenCount, nova.maxTokens];
  return Number(stated.find((limit) => limit !== undefined) ?? 1e9);
}

/** The output of a chat model to InvokeModel; `isCut` when it reached its limit. */
export function invokedOutput(
  model: string,
  answer: { text: string; isCut: boolean; inputTokens: number; outputTokens: number; hasUsage: boolean },
): Record<string, unknown> {
  const { text, isCut, inputTokens, outputTokens, hasUsage } = answer;
  const stop = isCut ? 'length' : 'stop';
  switch (familyOf(model)) {
    case 'llama':
      return {
        generation: text,
        ...(hasUsage && { prompt_token_count: inputTokens, generation_token_count: outputTokens }),
        stop_reason: stop,
      };
    case 'mistral':
      return { outputs: [{ text, stop_reason: stop }] };
    case 'titan':
      return {
        ...(hasUsage && { inputTextTokenCount: inputTokens }),
        results: [{ tokenCount: outputTokens, outputText: text, completionReason: isCut ? 'LENGTH' : 'FINISH' }],
      };
    case 'nova':
      return {
        output: { message: { role: 'assistant', content: [{ text }] } },
        stopReason: isCut ? 'max_tokens' : 'end_turn',
        ...(hasUsage && { usage: { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens } }),
      };
    default: {
      const content = model.includes('gpt-oss') ? `<reasoning>Let me see.</reasoning>${text}` : text;
      const usage = {
        prompt_tokens: inputTokens,
        completion_tokens: outputTokens,
        total_tokens: inputTokens + outputTokens,
      };
      return {
        id: 'chatcmpl-sim',
        object: 'chat.completion',
        choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: stop }],
        ...(hasUsage && { usage }),
      };
    }
  }
}

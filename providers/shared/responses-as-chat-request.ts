import { isFields } from './error-body.ts';
import { messagesOf } from './responses-as-chat-input.ts';
import { copyMember, type Fields, refuseForChat, refuseWrong } from './responses-as-chat-refusal.ts';

/** Parameters that only the Responses API itself can serve, with the values that ask for nothing. */
const refused: Readonly<Record<string, readonly unknown[]>> = {
  access_programs: [],
  background: [false],
  context_management: [],
  conversation: [],
  image: [],
  max_tool_calls: [],
  previous_response_id: [],
  prompt: [],
  top_logprobs: [0],
};

const readHere: ReadonlySet<string> = new Set([
  'include',
  'input',
  'instructions',
  'max_output_tokens',
  'reasoning',
  'text',
  'tool_choice',
  'tools',
  'truncation',
]);

/** A body of /v1/responses as a chat body; parameters that both have pass as they are. */
export function responseToChat(body: Fields, warnings: string[]): Fields {
  const chat: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(body)) {
    if (readHere.has(name) || value === null || value === undefined) continue;
    if (!Object.hasOwn(refused, name)) copyMember(chat, name, value);
    else if (refused[name]?.includes(value) !== true) {
      refuseForChat(name, `'${name}' needs the Responses API itself, which this provider does not have. Remove it.`);
    }
  }
  const { max_output_tokens: limit } = body;
  checkInclude(body.include, warnings);
  if (body.truncation === 'auto') warnings.push('truncation was left out: an input that is too long fails');
  return {
    ...chat,
    messages: messagesOf(body.instructions, body.input, warnings),
    ...(limit !== undefined && limit !== null && { max_completion_tokens: limit }),
    ...readReasoning(body.reasoning, warnings),
    ...readText(body.text),
    ...readTools(body.tools),
    ...readToolChoice(body.tool_choice),
  };
}

function checkInclude(include: unknown, warnings: string[]): void {
  if (include === undefined || include === null) return;
  if (!Array.isArray(include)) refuseWrong('include', `'include' must be a list.`);
  for (const what of include) {
    if (what === 'message.output_text.logprobs')
      refuseForChat('include', `'include' asks for logprobs, which are not available.`);
    const text = `include: ${String(what).slice(0, 60)} was left out`;
    if (!warnings.includes(text)) warnings.push(text);
  }
}

function readReasoning(reasoning: unknown, warnings: string[]): Fields {
  if (reasoning === undefined || reasoning === null) return {};
  if (!isFields(reasoning)) return refuseWrong('reasoning', `'reasoning' must be an object.`);
  const { effort, mode } = reasoning;
  if (mode !== undefined && mode !== null && mode !== 'standard') {
    refuseForChat('reasoning.mode', `'reasoning.mode' may be standard: this provider has no other.`);
  }
  for (const name of ['summary', 'generate_summary', 'context']) {
    const value = reasoning[name];
    if (value !== undefined && value !== null)
      warnings.push(`reasoning.${name} was left out: chat completions have none`);
  }
  return effort === undefined || effort === null ? {} : { reasoning_effort: effort };
}

function readText(text: unknown): Fields {
  if (text === undefined || text === null) return {};
  if (!isFields(text)) return refuseWrong('text', `'text' must be an object.`);
  const { format, verbosity } = text;
  return {
    ...(verbosity !== undefined && verbosity !== null && { verbosity }),
    ...(isFields(format) && { response_format: formatOf(format) }),
  };
}

function formatOf({ type, ...schema }: Fields): Fields {
  return type === 'json_schema' ? { type, json_schema: schema } : { type };
}

function readTools(tools: unknown): Fields {
  if (tools === undefined || tools === null) return {};
  if (!Array.isArray(tools)) return refuseWrong('tools', `'tools' must be a list.`);
  return {
    tools: tools.map((tool: unknown, index) => {
      const path = `tools[${index}]`;
      if (!isFields(tool) || tool.type !== 'function') {
        return refuseForChat(`${path}.type`, `Tools other than functions run at OpenAI only ('${path}.type').`);
      }
      const { name, description, parameters, strict, ...rest } = tool;
      const other = Object.keys(rest).find((key) => key !== 'type' && Boolean(rest[key]));
      if (other !== undefined) refuseForChat(`${path}.${other}`, `'${path}.${other}' has no equivalent in chat.`);
      return {
        type: 'function',
        function: {
          name,
          ...(description !== undefined && description !== null && { description }),
          ...(parameters !== undefined && parameters !== null && { parameters }),
          ...(strict !== undefined && strict !== null && { strict }),
        },
      };
    }),
  };
}

function readToolChoice(choice: unknown): Fields {
  if (choice === undefined || choice === null) return {};
  if (typeof choice === 'string') return { tool_choice: choice };
  if (isFields(choice) && choice.type === 'function') return { tool_choice: functionNamed(choice.name) };
  if (isFields(choice) && choice.type === 'allowed_tools' && Array.isArray(choice.tools)) {
    const tools = choice.tools.map((tool: unknown) => {
      const isFunction = isFields(tool) && tool.type === 'function';
      return isFunction
        ? functionNamed(tool.name)
        : refuseForChat('tool_choice', 'Only functions can be allowed here.');
    });
    return { tool_choice: { type: 'allowed_tools', allowed_tools: { mode: choice.mode, tools } } };
  }
  return refuseForChat('tool_choice', `This 'tool_choice' has no equivalent in chat completions.`);
}

function functionNamed(name: unknown): Fields {
  return { type: 'function', function: { name } };
}

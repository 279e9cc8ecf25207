import { isFields } from './error-body.ts';
import { type Fields, refuseForChat, refuseWrong } from './responses-as-chat-refusal.ts';

interface ChatMessage {
  role: string;
  content?: unknown;
  tool_calls?: Fields[];
  tool_call_id?: unknown;
}

/** `instructions` and `input` of a Responses body as chat messages. */
export function messagesOf(instructions: unknown, input: unknown, warnings: string[]): ChatMessage[] {
  const messages: ChatMessage[] = [];
  if (typeof instructions === 'string' && instructions !== '') messages.push({ role: 'system', content: instructions });
  if (typeof input === 'string') return [...messages, { role: 'user', content: input }];
  if (!Array.isArray(input)) return refuseWrong('input', `'input' must be a string or a list of items.`);
  input.forEach((item: unknown, index) => {
    const path = `input[${index}]`;
    if (!isFields(item)) refuseWrong(path, `'${path}' must be an object.`);
    addItem(messages, item, path, warnings);
  });
  return messages;
}

function addItem(messages: ChatMessage[], item: Fields, path: string, warnings: string[]): void {
  switch (item.type ?? 'message') {
    case 'message':
      messages.push({ role: String(item.role), content: contentOf(item.content, `${path}.content`) });
      return;
    case 'function_call':
      addCall(messages, item);
      return;
    case 'function_call_output':
      messages.push({ role: 'tool', tool_call_id: item.call_id, content: contentOf(item.output, `${path}.output`) });
      return;
    case 'reasoning': {
      const text = 'reasoning items of the input were left out: chat completions have no place for them';
      if (!warnings.includes(text)) warnings.push(text);
      return;
    }
    default:
      refuseForChat(
        path,
        `Items of type ${JSON.stringify(item.type)?.slice(0, 60)} have no equivalent in chat ('${path}').`,
      );
  }
}

/** Calls belong to the assistant's message before them, or make one. */
function addCall(messages: ChatMessage[], item: Fields): void {
  const call = { id: item.call_id, type: 'function', function: { name: item.name, arguments: item.arguments } };
  const last = messages.at(-1);
  if (last?.role !== 'assistant') messages.push({ role: 'assistant', content: null, tool_calls: [call] });
  else last.tool_calls = [...(last.tool_calls ?? []), call];
}

function contentOf(content: unknown, path: string): unknown {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return refuseWrong(path, `'${path}' must be a string or a list of parts.`);
  return content.map((part: unknown, index) => {
    const partPath = `${path}[${index}]`;
    if (!isFields(part)) return refuseWrong(partPath, `'${partPath}' must be an object.`);
    const { prompt_cache_breakpoint: breakpoint } = part;
    return { ...partOf(part, partPath), ...(breakpoint !== undefined && { prompt_cache_breakpoint: breakpoint }) };
  });
}

function partOf(part: Fields, path: string): Fields {
  switch (part.type) {
    case 'input_text':
    case 'output_text':
      return { type: 'text', text: part.text };
    case 'refusal':
      return { type: 'refusal', refusal: part.refusal };
    case 'input_image': {
      if (typeof part.image_url !== 'string') {
        return refuseForChat(
          `${path}.file_id`,
          `'${path}' must give its image as 'image_url': files stay with OpenAI.`,
        );
      }
      const detail = part.detail === undefined || part.detail === null ? {} : { detail: part.detail };
      return { type: 'image_url', image_url: { url: part.image_url, ...detail } };
    }
    case 'input_file': {
      const { file_data: data, filename } = part;
      if (typeof data !== 'string') {
        return refuseForChat(
          path,
          `'${path}' must give its file as 'file_data': chat takes no file_url, and files stay with OpenAI.`,
        );
      }
      return { type: 'file', file: { file_data: data, ...(typeof filename === 'string' && { filename }) } };
    }
    case 'input_audio':
      return { type: 'input_audio', input_audio: part.input_audio };
    default:
      return refuseForChat(
        path,
        `Parts of type ${JSON.stringify(part.type)?.slice(0, 60)} have no equivalent ('${path}').`,
      );
  }
}

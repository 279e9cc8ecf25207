import { isFields } from '../shared/error-body.ts';
import { hasBreakpoint } from '../shared/message-members.ts';
import { type Block, type Draft, warnOnce } from './draft.ts';
import { invalid, unsupported } from './refused.ts';

/** OpenAI's tools as `toolConfig.tools`, schemas untouched. Only functions have an equivalent. */
export function addTools(tools: unknown, draft: Draft): void {
  if (!Array.isArray(tools)) throw invalid('tools', 'tools must be a list.');
  if (tools.length === 0) return;
  if (draft.family.tools !== true) throw unsupported('tools', `tools: ${draft.model} does not call tools.`);
  if (tools.some(hasBreakpoint)) warnOnce(draft, 'cache breakpoints of tools were left out: messages may have them');
  draft.tools = tools.map((tool: unknown, index) => toolSpec(tool, `tools[${index}]`));
}

function toolSpec(tool: unknown, place: string): Block {
  const made = isFields(tool) ? tool.function : undefined;
  if (!isFields(tool) || tool.type !== 'function' || !isFields(made)) {
    const type = isFields(tool) ? String(tool.type) : typeof tool;
    throw unsupported(place, `${place}: tools of type '${type}' have no equivalent at Bedrock, only functions.`);
  }
  if (typeof made.name !== 'string' || !/^[a-zA-Z0-9_-]{1,64}$/.test(made.name)) {
    throw invalid(`${place}.function.name`, `${place}.function.name must be 1 to 64 letters, digits, _ or -.`);
  }
  const description = typeof made.description === 'string' && made.description !== '' ? made.description : undefined;
  return {
    toolSpec: {
      name: made.name,
      ...(description !== undefined && { description }),
      inputSchema: { json: isFields(made.parameters) ? made.parameters : { type: 'object', properties: {} } },
      ...(made.strict === true && { strict: true }),
    },
  };
}

/** Converse knows auto, any and one tool by name. Runs after messages and tools are in the draft. */
export function addToolChoice(choice: unknown, draft: Draft): void {
  if (choice === 'auto') {
    draft.toolChoice = { auto: {} };
  } else if (choice === 'required') {
    draft.toolChoice = { any: {} };
  } else if (choice === 'none') {
    // Converse cannot forbid calls; without tools there are none, but then no earlier calls may stand in the messages.
    if (hasToolBlocks(draft)) {
      throw unsupported('tool_choice', "tool_choice: Bedrock has no 'none' once messages hold tool calls.");
    }
    draft.tools = null;
  } else if (isFields(choice) && choice.type === 'function' && isFields(choice.function)) {
    draft.toolChoice = { tool: { name: choice.function.name } };
  } else if (isFields(choice) && choice.type === 'allowed_tools' && isFields(choice.allowed_tools)) {
    allowTools(choice.allowed_tools, draft);
  } else {
    throw unsupported('tool_choice', 'tool_choice must be auto, required, none or a function for Bedrock.');
  }
}

function allowTools(allowed: Readonly<Record<string, unknown>>, draft: Draft): void {
  const list: unknown[] = Array.isArray(allowed.tools) ? allowed.tools : [];
  const names = new Set(list.map((tool) => (isFields(tool) && isFields(tool.function) ? tool.function.name : null)));
  draft.tools = draft.tools?.filter(({ toolSpec: spec }) => isFields(spec) && names.has(spec.name)) ?? null;
  if (draft.tools?.length === 0) throw invalid('tool_choice', 'tool_choice allows none of the tools.');
  draft.toolChoice = allowed.mode === 'required' ? { any: {} } : { auto: {} };
}

function hasToolBlocks(draft: Draft): boolean {
  return draft.messages.some(({ content }) => content.some((block) => 'toolUse' in block || 'toolResult' in block));
}

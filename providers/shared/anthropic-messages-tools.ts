import { cacheControlOf } from './anthropic-messages-content.ts';
import { type Fields, type Mapping, refuse, refuseInvalid, warn } from './anthropic-messages-mapping.ts';
import { isFields } from './error-body.ts';
import { withDescription } from './schema-description.ts';

/** The forced tool through which families without structured output are asked for JSON; answers are unwrapped by it. */
export const structuredToolName = 'weir_structured_answer';

/** `tools` and `tool_choice` of a chat request, and its `parallel_tool_calls`, as Messages has them. */
export function toolsOf(body: Fields, mapping: Mapping): Record<string, unknown> {
  const { tools, parallel_tool_calls: parallel } = body;
  const choice = body.tool_choice ?? undefined;
  if (tools === undefined || tools === null || (Array.isArray(tools) && tools.length === 0)) {
    if (choice !== undefined && choice !== 'none' && choice !== 'auto') {
      refuseInvalid('tool_choice', `'tool_choice' asks for a tool, but there are no 'tools'.`);
    }
    return {};
  }
  if (!Array.isArray(tools)) return refuseInvalid('tools', `'tools' must be a list.`);
  const named = tools.map((tool: unknown, index) => toolOf(tool, `tools[${index}]`, mapping));
  const allowed = isFields(choice) && choice.type === 'allowed_tools' ? allowedOf(choice) : null;
  const kept = allowed === null ? named : named.filter(({ name }) => allowed.names.has(String(name)));
  const converted = choiceOf(allowed === null ? choice : allowed.mode, mapping);
  const single = parallel === false && converted?.type !== 'none' ? { disable_parallel_tool_use: true } : {};
  const isStated = converted !== null || parallel === false;
  return { tools: kept, ...(isStated && { tool_choice: { ...(converted ?? { type: 'auto' }), ...single } }) };
}

function toolOf(tool: unknown, path: string, mapping: Mapping): Record<string, unknown> {
  if (!isFields(tool)) return refuseInvalid(path, `'${path}' must be an object.`);
  const { function: definition } = tool;
  if (tool.type !== 'function' || !isFields(definition)) {
    return refuse(`${path}.type`, `Tools other than functions have no equivalent ('${path}.type').`);
  }
  if (typeof definition.name !== 'string') return refuseInvalid(path, `'${path}.function.name' must be a string.`);
  const { description, parameters, strict } = definition;
  if (strict === true && !mapping.options.family.structured) {
    warn(mapping, `strict was left out of tools: ${mapping.options.family.name} does not enforce schemas`);
  }
  return {
    name: definition.name,
    ...(typeof description === 'string' && description !== '' && { description }),
    input_schema: isFields(parameters) ? { type: 'object', ...parameters } : { type: 'object', properties: {} },
    ...(strict === true && mapping.options.family.structured && { strict: true }),
    ...cacheControlOf(tool, path, mapping),
  };
}

function allowedOf(choice: Fields): { mode: unknown; names: ReadonlySet<string> } {
  const { allowed_tools: allowed } = choice;
  if (!isFields(allowed) || !Array.isArray(allowed.tools)) {
    return refuseInvalid('tool_choice', `'tool_choice.allowed_tools' must hold 'mode' and 'tools'.`);
  }
  const names = allowed.tools.map((tool: unknown) => {
    const named = isFields(tool) && isFields(tool.function) ? tool.function.name : undefined;
    return typeof named === 'string' ? named : refuse('tool_choice', 'Only functions can stand in allowed_tools.');
  });
  return { mode: allowed.mode, names: new Set(names) };
}

/** null when there is nothing to say: `auto` is what happens anyway. */
function choiceOf(choice: unknown, mapping: Mapping): Record<string, unknown> | null {
  if (choice === undefined || choice === 'auto') return null;
  if (choice === 'none') return { type: 'none' };
  if (choice === 'required') return forced({ type: 'any' }, mapping);
  const named = isFields(choice) && choice.type === 'function' ? choice.function : undefined;
  if (isFields(named) && typeof named.name === 'string') return forced({ type: 'tool', name: named.name }, mapping);
  return refuse('tool_choice', `This 'tool_choice' has no equivalent. Use auto, none, required or a function's name.`);
}

function forced(choice: Record<string, unknown>, mapping: Mapping): Record<string, unknown> {
  const { family } = mapping.options;
  if (family.forcesTools) return choice;
  return refuse('tool_choice', `${family.name} cannot be forced to call a tool. Use auto.`);
}

/**
 * `response_format`: a schema goes to `output_config.format`; families without it get a forced tool whose input is the
 * answer. A bare JSON object has no equivalent.
 */
export function formatOf(body: Fields, mapping: Mapping): { format?: Fields; tools?: Fields } {
  const format = body.response_format;
  if (format === undefined || format === null) return {};
  if (!isFields(format)) return refuseInvalid('response_format', `'response_format' must be an object.`);
  if (format.type === 'text') return {};
  if (format.type !== 'json_schema') {
    const remedy = `Give a json_schema, or list 'response_format' in the target's drop_params.`;
    return refuse('response_format', `Claude has no format ${JSON.stringify(format.type)?.slice(0, 40)}. ${remedy}`);
  }
  const { schema, description } = isFields(format.json_schema) ? format.json_schema : {};
  if (!isFields(schema))
    return refuseInvalid('response_format', `'response_format.json_schema.schema' must be an object.`);
  const { family } = mapping.options;
  if (family.structured) return { format: { type: 'json_schema', schema: withDescription(schema, description) } };
  const { tools } = body;
  if (Array.isArray(tools) && tools.length > 0) {
    return refuse('response_format', `${family.name} cannot take a json_schema and tools at once.`);
  }
  warn(mapping, `response_format was sent as a tool: ${family.name} follows the schema, but does not enforce it`);
  const told = typeof description === 'string' && description !== '' ? description : 'Gives the answer.';
  return {
    tools: {
      tools: [{ name: structuredToolName, description: told, input_schema: { type: 'object', ...schema } }],
      tool_choice: { type: 'tool', name: structuredToolName },
    },
  };
}

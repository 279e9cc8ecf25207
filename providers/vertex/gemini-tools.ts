import { isFields } from '../shared/error-body.ts';
import { hasBreakpoint } from '../shared/message-members.ts';
import type { GeminiFunction, GeminiToolConfig } from './gemini.ts';
import { toOpenApiSchema } from './gemini-schema.ts';
import type { GeminiFamily } from './models.ts';
import { invalid, unsupported } from './refused.ts';

/** OpenAI's tools as one list of function declarations; null when there are none. `warnings` takes what was left out. */
export function toFunctions(tools: unknown, family: GeminiFamily, warnings: Set<string>): GeminiFunction[] | null {
  if (tools === undefined || tools === null) return null;
  if (!Array.isArray(tools)) return invalid('tools', 'tools must be a list.');
  if (tools.length === 0) return null;
  return tools.map((tool: unknown, index) => {
    const at = `tools[${index}]`;
    const declared = isFields(tool) && tool.type === 'function' ? tool.function : undefined;
    if (!isFields(declared)) return unsupported(`${at}.type`, `${at} must be a function: no other tool can be sent.`);
    if (typeof declared.name !== 'string') return invalid(`${at}.function.name`, `${at}.function.name must be text.`);
    if (declared.strict === true) warnings.add('strict was left out of tools: Gemini does not enforce their schemas');
    if (hasBreakpoint(tool)) warnings.add('cache breakpoints were left out: Gemini finds what to cache by itself');
    return {
      name: declared.name,
      ...(typeof declared.description === 'string' && { description: declared.description }),
      ...toParameters(declared.parameters, `${at}.function.parameters`, family),
    } satisfies GeminiFunction;
  });
}

function toParameters(schema: unknown, at: string, family: GeminiFamily): Partial<GeminiFunction> {
  if (schema === undefined || schema === null) return {};
  if (!isFields(schema)) return invalid(at, `${at} must be a JSON schema.`);
  if (family.jsonSchema) return { parametersJsonSchema: schema };
  // Gemini refuses an object without properties: no parameters is how it says so.
  const isEmpty = isFields(schema.properties) ? Object.keys(schema.properties).length === 0 : true;
  return isEmpty && schema.type === 'object' ? {} : { parameters: toOpenApiSchema(schema, at) };
}

/** OpenAI's tool_choice; null leaves it to the model. */
export function toToolConfig(choice: unknown, functions: GeminiFunction[] | null): GeminiToolConfig | null {
  if (choice === undefined || choice === null || choice === 'auto') return null;
  if (choice === 'none') return functions === null ? null : { functionCallingConfig: { mode: 'NONE' } };
  if (functions === null) return invalid('tool_choice', 'tool_choice asks for a tool, but there are no tools.');
  if (choice === 'required') return { functionCallingConfig: { mode: 'ANY' } };
  if (!isFields(choice)) return invalid('tool_choice', 'tool_choice must be auto, none, required or an object.');
  if (choice.type === 'function') return only('ANY', [choice.function], functions);
  const allowed = choice.type === 'allowed_tools' ? choice.allowed_tools : undefined;
  if (isFields(allowed) && Array.isArray(allowed.tools)) {
    const called = allowed.tools.map((tool: unknown) => (isFields(tool) ? tool.function : undefined));
    return only(allowed.mode === 'required' ? 'ANY' : 'VALIDATED', called, functions);
  }
  return unsupported('tool_choice', 'tool_choice must name a function, or allowed tools.');
}

function only(mode: 'ANY' | 'VALIDATED', called: unknown[], functions: GeminiFunction[]): GeminiToolConfig {
  const names = called.map((one) => (isFields(one) && typeof one.name === 'string' ? one.name : ''));
  const unknown = names.find((name) => !functions.some((declared) => declared.name === name));
  if (unknown !== undefined) invalid('tool_choice', `tool_choice names '${unknown}', which is none of the tools.`);
  return { functionCallingConfig: { mode, allowedFunctionNames: names } };
}

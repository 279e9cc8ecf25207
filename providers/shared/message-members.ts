import { isFields } from './error-body.ts';

/** Members of a chat message that a conversion looks at, whatever becomes of them. */
const seen: ReadonlySet<string> = new Set([
  'audio',
  'content',
  'function_call',
  'name',
  'refusal',
  'role',
  'tool_call_id',
  'tool_calls',
]);

const breakpoints = ['cache_control', 'prompt_cache_breakpoint'];

/** Names of what else a message says: somebody could miss it where the service has no place for it. */
export function otherMembers(message: Readonly<Record<string, unknown>>): string[] {
  return Object.keys(message).filter((name) => !seen.has(name) && !isNothing(message[name]));
}

function isNothing(value: unknown): boolean {
  return value === null || value === undefined || (Array.isArray(value) && value.length === 0);
}

/** Whether a member of that name asks for a cache breakpoint. */
export function isBreakpoint(name: string): boolean {
  return breakpoints.includes(name);
}

/** Whether a part, message or tool asks for a cache breakpoint behind it, in Anthropic's words or OpenAI's. */
export function hasBreakpoint(value: unknown): boolean {
  return isFields(value) && breakpoints.some((name) => !isNothing(value[name]));
}

import { ENDPOINTS } from '../../src/protocol/endpoint.ts';
import type { RequestLine } from '../../src/protocol/request-line.ts';
import type { Converted } from '../contract.ts';
import { convertToOpenAI } from '../shared/openai-convert.ts';

const nothing: ReadonlySet<string> = new Set();

/** Self-hosted servers differ in what they know, so every parameter goes through as it is. */
export function convert(line: RequestLine, model: string, provider: string): Converted {
  return convertToOpenAI(line, model, { provider, endpoints: ENDPOINTS, refused: nothing });
}

/** A request's body with a `priority`, unless it states one. */
export function withPriority(body: string, priority: number): string {
  if (body.includes('"priority"') && 'priority' in (JSON.parse(body) as object)) return body;
  const rest = body.slice(1);
  return `{"priority":${priority}${rest.trimStart().startsWith('}') ? '' : ','}${rest}`;
}

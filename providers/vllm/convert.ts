import { ENDPOINTS } from '../../src/protocol/endpoint.ts';
import type { RequestLine } from '../../src/protocol/request-line.ts';
import type { Converted } from '../contract.ts';
import { convertToOpenAI } from '../shared/openai-convert.ts';

const nothing: ReadonlySet<string> = new Set();

/** Self-hosted servers differ in what they know, so every parameter goes through as it is. */
export function convert(line: RequestLine, model: string, provider: string): Converted {
  return convertToOpenAI(line, model, { provider, endpoints: ENDPOINTS, refused: nothing });
}

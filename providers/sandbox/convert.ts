import { ENDPOINTS } from '../../src/protocol/endpoint.ts';
import type { RequestLine } from '../../src/protocol/request-line.ts';
import type { Converted } from '../contract.ts';
import { convertToOpenAI } from '../shared/openai-convert.ts';

const nothing: ReadonlySet<string> = new Set();

/** The simulated server takes every parameter, as vLLM does. */
export function convert(line: RequestLine, model: string, provider: string): Converted {
  return convertToOpenAI(line, model, { provider, endpoints: ENDPOINTS, refused: nothing });
}

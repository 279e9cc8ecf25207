import { ENDPOINTS } from '../../src/protocol/endpoint.ts';
import type { RequestLine } from '../../src/protocol/request-line.ts';
import type { Converted } from '../contract.ts';
import { selfHostedParameters } from '../shared/foreign-parameters.ts';
import { convertToOpenAI } from '../shared/openai-convert.ts';

/** `scale` is paid by time that is bought ahead (OpenAI pricing page), which no price file here holds. */
const serviceTiers = ['auto', 'default', 'flex', 'priority'];

export function convert(line: RequestLine, model: string, provider: string): Converted {
  return convertToOpenAI(line, model, { provider, endpoints: ENDPOINTS, refused: selfHostedParameters, serviceTiers });
}

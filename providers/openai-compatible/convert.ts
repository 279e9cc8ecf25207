import { ENDPOINTS } from '../../src/protocol/endpoint.ts';
import type { RequestLine } from '../../src/protocol/request-line.ts';
import type { Converted } from '../contract.ts';
import { type ConvertRules, convertToOpenAI } from '../shared/openai-convert.ts';
import type { Preset } from './presets.ts';

/** The rules of a known service; an unknown one gets every parameter as it is. */
export function rulesOf(provider: string, preset: Preset | null): ConvertRules {
  return {
    provider,
    endpoints: preset?.endpoints ?? ENDPOINTS,
    refused: new Set(preset?.refused),
    ignored: new Set(preset?.ignored),
    renamed: new Map(Object.entries(preset?.renamed ?? {})),
  };
}

export function convert(line: RequestLine, model: string, rules: ConvertRules): Converted {
  return convertToOpenAI(line, model, rules);
}

import { ENDPOINTS } from '../../src/protocol/endpoint.ts';
import type { ProviderKind } from '../contract-kind.ts';
import { toLimits } from '../shared/settings.ts';
import { createVllmClient } from './client.ts';
import { type VllmSettings, vllmSettings } from './config.ts';
import { convert } from './convert.ts';

/** vLLM and every other server with OpenAI's API that the operator runs. */
export const vllm: ProviderKind<VllmSettings> = {
  kind: 'vllm',
  settings: vllmSettings,
  create(name, settings) {
    return {
      name,
      kind: 'vllm',
      priceProvider: null,
      endpoints: ENDPOINTS,
      models: settings.models ?? null,
      limits: toLimits(settings.limits),
      convert: (line, model) => convert(line, model, name),
      ...createVllmClient(name, settings),
    };
  },
};

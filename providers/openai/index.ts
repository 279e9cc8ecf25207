import { ENDPOINTS } from '../../src/protocol/endpoint.ts';
import type { ProviderKind } from '../contract-kind.ts';
import { toLimits } from '../shared/settings.ts';
import { createOpenAIClient } from './client.ts';
import { type OpenAISettings, openaiSettings } from './config.ts';
import { convert } from './convert.ts';
import { createUsageApi } from './usage-api.ts';

/** OpenAI itself. */
export const openai: ProviderKind<OpenAISettings> = {
  kind: 'openai',
  settings: openaiSettings,
  create(name, settings) {
    const usage = createUsageApi(name, settings);
    return {
      name,
      kind: 'openai',
      priceProvider: 'openai',
      endpoints: ENDPOINTS,
      models: settings.models ?? null,
      limits: toLimits(settings.limits),
      convert: (line, model) => convert(line, model, name),
      ...createOpenAIClient(name, settings),
      ...(usage && { usage }),
    };
  },
};

import type { ProviderKind } from '../contract-kind.ts';
import { chatEndpoints } from '../shared/responses-as-chat.ts';
import { toLimits } from '../shared/settings.ts';
import { createBatchApi } from './batch.ts';
import { accessOf, createAnthropicClient } from './client.ts';
import { type AnthropicSettings, anthropicSettings } from './config.ts';
import { answerLimit, convert } from './convert.ts';
import { billedRegion } from './usage.ts';
import { createUsageApi } from './usage-api.ts';

/** Anthropic's own API: Messages and Message Batches. */
export const anthropic: ProviderKind<AnthropicSettings> = {
  kind: 'anthropic',
  settings: anthropicSettings,
  create(name, settings) {
    const usage = createUsageApi(name, settings);
    const access = accessOf(name, settings);
    const { families = {}, default_max_tokens: defaultMaxTokens } = settings;
    const conversion = { provider: name, families, defaultMaxTokens };
    return {
      name,
      kind: 'anthropic',
      priceProvider: 'anthropic',
      endpoints: chatEndpoints,
      models: settings.models ?? null,
      limits: toLimits(settings.limits),
      convert: (line, model) => convert(line, model, conversion),
      answerLimit: (model) => answerLimit(model, conversion),
      billedRegion,
      ...createAnthropicClient(access),
      batch: createBatchApi(access),
      ...(usage && { usage }),
    };
  },
};

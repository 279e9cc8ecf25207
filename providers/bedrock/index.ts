import type { ProviderKind } from '../contract-kind.ts';
import { toLimits } from '../shared/settings.ts';
import { createAccess } from './access.ts';
import { createBatchApi } from './batch.ts';
import { answerLimit } from './claude.ts';
import { createImmediate } from './client.ts';
import { type BedrockSettings, bedrockSettings } from './config.ts';
import { bedrockEndpoints, convert } from './convert.ts';
import { knownModel } from './models.ts';

/** Amazon Bedrock: batch jobs over S3, and immediate calls through Converse and InvokeModel. */
export const bedrock: ProviderKind<BedrockSettings> = {
  kind: 'bedrock',
  settings: bedrockSettings,
  create(name, settings) {
    const { role_arn, bucket, profiles } = settings;
    const access = createAccess(name, settings);
    const conversion = {
      provider: name,
      profiles,
      defaultMaxTokens: settings.default_max_tokens,
      embeddingInputType: settings.embedding_input_type,
    };
    return {
      name,
      kind: 'bedrock',
      priceProvider: 'bedrock',
      endpoints: bedrockEndpoints,
      models: settings.models ?? [],
      limits: toLimits(settings.limits),
      convert: (line, model) => convert(line, model, conversion),
      answerLimit: (model) => answerLimit(model, conversion),
      priceRegion: settings.region,
      pricedModel: (model) => knownModel(model, profiles)?.priced ?? model,
      immediate: createImmediate(access),
      ...(role_arn !== undefined &&
        bucket !== undefined && { batch: createBatchApi(access, { ...settings, role_arn, bucket }) }),
      close: () => access.close(),
    };
  },
};

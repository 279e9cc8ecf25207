import type { ProviderKind } from '../contract-kind.ts';
import { GoogleTokens } from '../shared/google-auth.ts';
import { toLimits } from '../shared/settings.ts';
import { VertexBatches } from './batch.ts';
import { VertexImmediate } from './client.ts';
import { type VertexSettings, vertexSettings } from './config.ts';
import { answerLimit, convert, endpoints } from './convert.ts';
import { usualModels } from './models.ts';

/** Gemini, Claude and text embeddings on Google Cloud's Vertex AI. */
export const vertex: ProviderKind<VertexSettings> = {
  kind: 'vertex',
  settings: vertexSettings,
  create(name, settings) {
    const { credentials_file, credentials, access_token, token_url, bucket } = settings;
    const tokens = new GoogleTokens(name, { credentials_file, credentials, access_token, token_url });
    const options = {
      provider: name,
      fileBuckets: settings.file_buckets,
      safetySettings: settings.safety_settings ?? [],
    };
    return {
      name,
      kind: 'vertex',
      priceProvider: 'vertex',
      priceRegion: settings.location,
      endpoints,
      models: settings.models ?? usualModels,
      limits: toLimits(settings.limits),
      convert: (line, model) => convert(line, model, options),
      answerLimit,
      immediate: new VertexImmediate(name, settings, tokens),
      ...(bucket !== undefined && { batch: new VertexBatches(name, settings, bucket, tokens) }),
    };
  },
};

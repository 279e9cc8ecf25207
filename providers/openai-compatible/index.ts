import type { ProviderKind } from '../contract-kind.ts';
import { toLimits } from '../shared/settings.ts';
import { createCompatibleClient } from './client.ts';
import { type CompatibleSettings, compatibleSettings } from './config.ts';
import { convert, rulesOf } from './convert.ts';
import { findPreset } from './presets.ts';

/** A hosted service with OpenAI's API, known by preset or named by its base URL. */
export const openaiCompatible: ProviderKind<CompatibleSettings> = {
  kind: 'openai-compatible',
  settings: compatibleSettings,
  create(name, settings) {
    const preset = findPreset(settings.preset);
    const rules = rulesOf(name, preset);
    return {
      name,
      kind: 'openai-compatible',
      priceProvider: preset?.priceProvider ?? null,
      endpoints: rules.endpoints,
      models: settings.models ?? null,
      limits: toLimits(settings.limits),
      convert: (line, model) => convert(line, model, rules),
      ...createCompatibleClient(name, settings, preset),
    };
  },
};

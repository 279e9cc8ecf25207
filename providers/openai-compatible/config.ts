import { z } from 'zod';
import { baseUrl, refuseOpenHttp } from '../shared/base-url.ts';
import { type CompatibleDialect, compatibleDialects } from '../shared/openai-batch-dialect.ts';
import { dialectSetting } from '../shared/openai-batch-settings.ts';
import { commonSettings, modelList, secret } from '../shared/settings.ts';
import { findPreset, presetNames } from './presets.ts';

const withAddress = presetNames.filter((name) => findPreset(name)?.baseUrl !== null);
const dialects = Object.keys(compatibleDialects) as [CompatibleDialect, ...CompatibleDialect[]];

export const compatibleSettings = z
  .strictObject({
    ...commonSettings,
    /** A known service: its address, its prices and what it does not take. */
    preset: z.enum(presetNames).optional(),
    base_url: baseUrl.optional(),
    api_key: secret.optional(),
    models: modelList.optional(),
    /** The service's own batches: true where no preset tells that it speaks OpenAI's dialect, false to leave them unused. */
    batch: dialectSetting(dialects).optional(),
    allow_http: z.boolean().optional(),
  })
  .superRefine((entry, context) => {
    refuseOpenHttp(entry.base_url, entry.allow_http, 'base_url', context);
    const preset = findPreset(entry.preset);
    if ((preset?.baseUrl ?? entry.base_url) === undefined) {
      const message = `give a base_url, or a preset: ${withAddress.join(', ')}`;
      context.addIssue({ code: 'custom', path: ['base_url'], message });
    }
    if (preset !== null && preset.needsKey !== false && entry.api_key === undefined) {
      context.addIssue({ code: 'custom', path: ['api_key'], message: `${entry.preset} needs one` });
    }
  })
  .transform((entry) => ({ ...entry, base_url: entry.base_url ?? findPreset(entry.preset)?.baseUrl ?? '' }));

export type CompatibleSettings = z.infer<typeof compatibleSettings>;

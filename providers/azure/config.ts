import { z } from 'zod';
import { baseUrl, refuseOpenHttp } from '../shared/base-url.ts';
import { batchSetting } from '../shared/openai-batch-settings.ts';
import { commonSettings, secret } from '../shared/settings.ts';

const deploymentName = z.string().regex(/^[\w.-]{1,64}$/, 'must be a deployment name: letters, digits, dots, dashes');

/** Input and output of batches in a container of Azure Blob Storage, which takes larger inputs than files do. */
const blobSetting = z.strictObject({
  /** `https://<account>.blob.core.windows.net/<container>` */
  container_url: baseUrl,
  prefix: z
    .string()
    .regex(/^[\w./-]{0,200}$/, 'must be letters, digits, dots, dashes and slashes')
    .default('weir/'),
  sas_token: secret.optional(),
  account_key: secret.optional(),
  /** A Microsoft Entra token for https://storage.azure.com: one for Azure OpenAI is not accepted there. */
  ad_token: secret.optional(),
});

export const azureSettings = z
  .strictObject({
    ...commonSettings,
    /** `https://<resource>.openai.azure.com` */
    endpoint: baseUrl,
    api_key: secret.optional(),
    /** A Microsoft Entra token, sent instead of a key. */
    ad_token: secret.optional(),
    /** Model name → deployment name. */
    deployments: z
      .record(z.string().min(1), deploymentName)
      .refine((map) => Object.keys(map).length > 0, 'must name at least one deployment, as model: deployment'),
    /** Model name → deployment of a batch SKU (Global-Batch, Data-Zone-Batch); without it, batches go to `deployments`. */
    batch_deployments: z.record(z.string().min(1), deploymentName).optional(),
    /** Azure's own batch service. It needs deployments of its own, so it is used when those are named, or when this is set. */
    batch: batchSetting.optional(),
    blob: blobSetting.optional(),
    /** Absent: Azure's v1 API. Set: its dated API of that version. */
    api_version: z
      .string()
      .regex(
        /^\d{4}-\d{2}-\d{2}(-preview)?$/,
        'must look like 2024-10-21 or 2025-04-01-preview; leave it out for the v1 API',
      )
      .optional(),
    allow_http: z.boolean().optional(),
  })
  .superRefine((entry, context) => {
    for (const model of Object.keys(entry.batch_deployments ?? {})) {
      if (Object.hasOwn(entry.deployments, model)) continue;
      context.addIssue({ code: 'custom', path: ['batch_deployments', model], message: 'is no model of deployments' });
    }
    const { blob } = entry;
    if (blob !== undefined) {
      refuseOpenHttp(blob.container_url, entry.allow_http, 'blob', context);
      if ([blob.sas_token, blob.account_key, blob.ad_token].filter((given) => given !== undefined).length !== 1) {
        context.addIssue({ code: 'custom', path: ['blob'], message: 'give one of sas_token, account_key, ad_token' });
      }
    }
    refuseOpenHttp(entry.endpoint, entry.allow_http, 'endpoint', context);
    if ((entry.api_key === undefined) === (entry.ad_token === undefined)) {
      context.addIssue({ code: 'custom', path: ['api_key'], message: 'give either api_key or ad_token' });
    }
  });

export type AzureSettings = z.infer<typeof azureSettings>;

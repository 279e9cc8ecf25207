import type { ProviderKind } from '../contract-kind.ts';
import { toLimits } from '../shared/settings.ts';
import { createAzureClient } from './client.ts';
import { type AzureSettings, azureSettings } from './config.ts';
import { azureEndpoints, convert } from './convert.ts';
import { readDeployments } from './deployments.ts';

/** Azure OpenAI (Microsoft Foundry): OpenAI's models under the operator's deployment names. */
export const azure: ProviderKind<AzureSettings> = {
  kind: 'azure',
  settings: azureSettings,
  create(name, settings) {
    const deployments = readDeployments(settings.deployments, settings.batch_deployments);
    return {
      name,
      kind: 'azure',
      priceProvider: 'azure',
      endpoints: azureEndpoints,
      models: deployments.models,
      limits: toLimits(settings.limits),
      convert: (line, model) => convert(line, model, name, deployments),
      pricedModel: deployments.modelOf,
      ...createAzureClient(name, settings, deployments),
    };
  },
};

import { ENDPOINTS } from '../../src/protocol/endpoint.ts';
import type { ProviderKind } from '../contract-kind.ts';
import { toLimits } from '../shared/settings.ts';
import { createSandboxClient } from './client.ts';
import { type SandboxSettings, sandboxSettings } from './config.ts';
import { convert } from './convert.ts';

/** A simulated server in this process: real HTTP, no keys, no costs, and every fault on request. */
export const sandbox: ProviderKind<SandboxSettings> = {
  kind: 'sandbox',
  nodeOnly: true,
  settings: sandboxSettings,
  create(name, settings) {
    return {
      name,
      kind: 'sandbox',
      priceProvider: null,
      endpoints: ENDPOINTS,
      models: settings.server.models,
      limits: toLimits(settings.limits),
      convert: (line, model) => convert(line, model, name),
      ...createSandboxClient(name, settings),
    };
  },
};

import type { Provider } from '../../../providers/contract.ts';
import {
  type AnthropicServerOptions,
  type SimulatedAnthropic,
  startAnthropicServer,
} from '../../../providers/sandbox/servers/anthropic.ts';
import { createProvider } from '../kinds.ts';

export const secret = 'sk-ant-canary-77';
export const model = 'claude-haiku-4-5';

export function providerAt(url: string, entry: object = {}): Provider {
  return createProvider('anthropic', { base_url: url, api_key: secret, ...entry });
}

export interface AnthropicBench {
  server: SimulatedAnthropic;
  provider: Provider;
}

export async function startAnthropic(
  options: AnthropicServerOptions = {},
  entry: object = {},
): Promise<AnthropicBench> {
  const server = await startAnthropicServer({ api_key: secret, ...options });
  return { server, provider: providerAt(server.url, entry) };
}

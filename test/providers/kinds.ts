import type { Provider } from '../../providers/contract.ts';
import { kinds as registered } from '../../providers/registry.ts';
import { type ServerOptions, startOpenAICompatibleServer } from '../../providers/sandbox/servers/openai-compatible.ts';
import type { Running } from './conformance.ts';

const kinds = new Map(await Promise.all([...registered].map(async ([name, read]) => [name, await read()] as const)));

/** A provider from a config entry, as the config loader makes it. Throws zod's error. */
export function createProvider(kind: string, entry: object, name = 'p'): Provider {
  const found = kinds.get(kind);
  if (found === undefined) throw new Error(`no kind ${kind}`);
  return found.create(name, found.settings.parse({ kind, ...entry }));
}

/** A provider over a simulated server that demands `apiKey`. */
export async function startOver(
  options: ServerOptions,
  apiKey: string,
  create: (url: string) => Provider,
): Promise<Running> {
  const server = await startOpenAICompatibleServer({ api_key: apiKey, ...options });
  return { provider: create(server.url), stop: () => server.stop() };
}

/** What zod says about a config entry; empty when it is fine. */
export function problemsOf(kind: string, entry: object): string[] {
  const { error } = kinds.get(kind)?.settings.safeParse({ kind, ...entry }) ?? {};
  return error?.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`) ?? [];
}

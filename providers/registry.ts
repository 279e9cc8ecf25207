import type { Kinds, ProviderKind } from './contract-kind.ts';

/** Every kind of provider, by the name that `kind:` gives it in the config. Adding one is a folder and a line here. */
export const kinds: Kinds = new Map<string, () => Promise<ProviderKind>>([
  ['vllm', read(async () => (await import('./vllm/index.ts')).vllm)],
  ['openai', read(async () => (await import('./openai/index.ts')).openai)],
  ['azure', read(async () => (await import('./azure/index.ts')).azure)],
  ['openai-compatible', read(async () => (await import('./openai-compatible/index.ts')).openaiCompatible)],
  ['bedrock', read(async () => (await import('./bedrock/index.ts')).bedrock)],
  ['anthropic', read(async () => (await import('./anthropic/index.ts')).anthropic)],
  ['vertex', read(async () => (await import('./vertex/index.ts')).vertex)],
  ['sandbox', read(async () => (await import('./sandbox/index.ts')).sandbox)],
]);

/** What a kind's settings are is its own affair. */
function read<Settings>(load: () => Promise<ProviderKind<Settings>>): () => Promise<ProviderKind> {
  return async () => (await load()) as ProviderKind;
}

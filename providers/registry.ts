import { anthropic } from './anthropic/index.ts';
import { azure } from './azure/index.ts';
import { bedrock } from './bedrock/index.ts';
import type { ProviderKind } from './contract-kind.ts';
import { openai } from './openai/index.ts';
import { openaiCompatible } from './openai-compatible/index.ts';
import { sandbox } from './sandbox/index.ts';
import { vertex } from './vertex/index.ts';
import { vllm } from './vllm/index.ts';

/** Every kind of provider, by the name that `kind:` gives it in the config. Adding one is a folder and a line here. */
export const kinds: ReadonlyMap<string, ProviderKind> = new Map(
  [vllm, openai, azure, openaiCompatible, bedrock, anthropic, vertex, sandbox].map((kind) => [
    kind.kind,
    kind as ProviderKind,
  ]),
);

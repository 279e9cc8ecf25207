import { remembered } from './remembered.ts';

/** Words of `output_config.effort`, weakest first. */
export const efforts = ['low', 'medium', 'high', 'xhigh', 'max'] as const;
export type Effort = (typeof efforts)[number];

/** What a family of Claude models takes. */
export interface ClaudeFamily {
  name: string;
  /** Largest `max_tokens`. */
  maxOutput: number;
  /** `temperature` and `top_p`: both, one of them, or none. */
  sampling: 'both' | 'one' | 'none';
  /** How it is asked to think; `fixed` thinks always and cannot be told not to. */
  thinking: 'none' | 'budget' | 'adaptive' | 'fixed';
  efforts: readonly Effort[];
  /** `output_config.format` and strict tools; families without it are asked through a forced tool. */
  structured: boolean;
  /** `tool_choice` may force a call. */
  forcesTools: boolean;
  /** Continues a last message of the assistant. */
  prefill: boolean;
}

type Traits = Omit<ClaudeFamily, 'name'>;

const claude3: Traits = {
  maxOutput: 4096,
  sampling: 'both',
  thinking: 'none',
  efforts: [],
  structured: false,
  forcesTools: true,
  prefill: true,
};
const claude35: Traits = { ...claude3, maxOutput: 8192 };
const sonnet4: Traits = { ...claude3, maxOutput: 64_000, thinking: 'budget' };
const opus4: Traits = { ...sonnet4, maxOutput: 32_000 };
const claude45: Traits = { ...sonnet4, sampling: 'one', structured: true };
const claude46: Traits = {
  ...claude45,
  maxOutput: 128_000,
  thinking: 'adaptive',
  efforts: ['low', 'medium', 'high', 'max'],
  prefill: false,
};
const claude47: Traits = { ...claude46, sampling: 'none', efforts };
const always: Traits = { ...claude47, thinking: 'fixed' };
const unforced: Traits = { ...always, forcesTools: false };

/**
 * Families and their traits. Sources: Anthropic's model overviews and migration guides (output limits, prefill, adaptive
 * thinking, sampling), its effort and structured-output pages, and the notes of @anthropic-ai/sdk 0.110 and 1.11.
 */
const traits: Readonly<Record<string, Traits>> = {
  'claude-3-haiku': claude3,
  'claude-3-sonnet': claude3,
  'claude-3-opus': claude3,
  'claude-3-5-haiku': claude35,
  'claude-3-5-sonnet': claude35,
  'claude-3-7-sonnet': sonnet4,
  'claude-sonnet-4': sonnet4,
  'claude-opus-4': opus4,
  'claude-opus-4-1': { ...opus4, sampling: 'one' },
  'claude-sonnet-4-5': claude45,
  'claude-haiku-4-5': claude45,
  'claude-opus-4-5': { ...claude45, efforts: ['low', 'medium', 'high'] },
  'claude-sonnet-4-6': claude46,
  'claude-opus-4-6': claude46,
  'claude-mythos-preview': { ...always, efforts: claude46.efforts },
  'claude-opus-4-7': claude47,
  'claude-opus-4-8': claude47,
  'claude-sonnet-5': claude47,
  'claude-opus-5': claude47,
  'claude-haiku-5-5': claude47,
  'claude-sonnet-5-5': claude47,
  'claude-opus-5-5': unforced,
  'claude-fable-5': always,
  'claude-fable-5-1': unforced,
  'claude-fable-5-2': unforced,
  'claude-mythos-5': always,
  'claude-mythos-5-1': unforced,
  'claude-mythos-5-2': unforced,
};

const otherNames: Readonly<Record<string, string>> = {
  'claude-sonnet-4-0': 'claude-sonnet-4',
  'claude-4-sonnet': 'claude-sonnet-4',
  'claude-opus-4-0': 'claude-opus-4',
  'claude-4-opus': 'claude-opus-4',
};

/** The family of this name; null when the table does not know it. */
export function familyNamed(name: string): ClaudeFamily | null {
  const known = otherNames[name] ?? name;
  const found = Object.hasOwn(traits, known) ? traits[known] : undefined;
  return found === undefined ? null : { name: known, ...found };
}

/**
 * The family of a model id as Anthropic (`claude-sonnet-4-5-20250929`, `…-latest`), Amazon Bedrock
 * (`us.anthropic.claude-sonnet-4-5-20250929-v1:0`) and Vertex AI (`claude-sonnet-4-5@20250929`) write it; null when the
 * table does not know it.
 */
export const familyOfModel = remembered((model: string): ClaudeFamily | null => {
  const name = model
    .replace(/^(?:[a-z]+(?:-[a-z]+)*\.)?anthropic\./, '')
    .replace(/@[\w-]+$/, '')
    .replace(/-v\d+(?::\d+(?::\w+)?)?$/, '')
    .replace(/-(?:\d{8}|latest)$/, '');
  return familyNamed(name);
});

export const familyNames: readonly string[] = Object.keys(traits);

import { remembered } from '../shared/remembered.ts';

/** How a family is told to think: not at all, by a budget of tokens (2.5), or by a level (3 and later). */
export type Thinking =
  | { by: 'none' }
  | { by: 'budget'; canBeOff: boolean }
  | { by: 'level'; levels: readonly ('MINIMAL' | 'LOW' | 'MEDIUM' | 'HIGH')[] };

export interface GeminiFamily {
  kind: 'gemini';
  thinking: Thinking;
  /** Takes JSON Schema as it is; others know a subset of OpenAPI 3.0 only. */
  jsonSchema: boolean;
  /** Refuses a history whose function calls carry no thought signature. */
  signedCalls: boolean;
}

export interface ClaudeFamily {
  kind: 'claude';
}

export interface EmbeddingFamily {
  kind: 'embedding';
  /** Texts in one `predict` call. */
  instances: number;
  dimensions: number;
}

export type Family = GeminiFamily | ClaudeFamily | EmbeddingFamily;

const allLevels = ['MINIMAL', 'LOW', 'MEDIUM', 'HIGH'] as const;

function gemini(thinking: Thinking, generation: 2 | 2.5 | 3): GeminiFamily {
  return { kind: 'gemini', thinking, jsonSchema: generation > 2, signedCalls: generation >= 3 };
}

/**
 * Which names belong to which family. Variants that make images, speech or live sessions match none of them.
 * Sources: Google Cloud's model pages and "Thinking"; text embeddings API reference (inputs per request, dimensions).
 */
const families: readonly (readonly [RegExp, Family])[] = [
  [/^gemini-2\.0-flash(-lite)?(-001)?$/, gemini({ by: 'none' }, 2)],
  [/^gemini-2\.5-flash(-lite)?(-preview-[\d-]+)?$/, gemini({ by: 'budget', canBeOff: true }, 2.5)],
  [/^gemini-2\.5-pro(-preview-[\d-]+)?$/, gemini({ by: 'budget', canBeOff: false }, 2.5)],
  [/^gemini-3-pro(-preview)?$/, gemini({ by: 'level', levels: ['LOW', 'HIGH'] }, 3)],
  [/^gemini-3(\.\d)?-pro(-preview)?$/, gemini({ by: 'level', levels: ['LOW', 'MEDIUM', 'HIGH'] }, 3)],
  [/^gemini-3(\.\d)?-flash(-lite)?(-preview)?$/, gemini({ by: 'level', levels: allLevels }, 3)],
  [/^claude-[a-z0-9.-]+(@(\d{8}|default|latest))?$/, { kind: 'claude' }],
  [/^text-embedding-00[45]$/, { kind: 'embedding', instances: 250, dimensions: 768 }],
  [/^text-multilingual-embedding-002$/, { kind: 'embedding', instances: 250, dimensions: 768 }],
  [/^gemini-embedding-001$/, { kind: 'embedding', instances: 1, dimensions: 3072 }],
];

/** The family of a model; null when no table entry knows it. */
export const familyOf = remembered(
  (model: string): Family | null => families.find(([pattern]) => pattern.test(model))?.[1] ?? null,
);

/** What an entry without `models` serves. Claude models need an agreement in the project, so they are listed by hand. */
export const usualModels: readonly string[] = [
  'gemini-2.5-flash',
  'gemini-2.5-flash-lite',
  'gemini-2.5-pro',
  'gemini-3.1-flash-lite',
  'gemini-3.5-flash',
  'gemini-3.5-flash-lite',
  'gemini-3.6-flash',
  'gemini-3.7-flash',
  'gemini-3.8-flash',
  'gemini-embedding-001',
  'text-embedding-005',
  'text-multilingual-embedding-002',
];

/** The resource name of a model, below a project's location or in a job. */
export function modelPath(model: string): string {
  const publisher = familyOf(model)?.kind === 'claude' ? 'anthropic' : 'google';
  return `publishers/${publisher}/models/${model}`;
}

import { isCount } from '../../src/core/usage.ts';
import { isFields } from '../shared/error-body.ts';
import type { EmbeddingFamily } from './models.ts';
import { invalid, unsupported } from './refused.ts';

/** One text to embed, as a line of a job and as an instance of `predict` (text embeddings API reference). */
export interface EmbeddingInstance {
  content: string;
  task_type?: string;
  title?: string;
}

/** All embeddings that one request asks for. Kept as the native body: the service itself has no such grouping. */
export interface EmbeddingRequest {
  /** What the answer is to look like; not sent. */
  encoding: 'float' | 'base64';
  dimensions: number | null;
  instances: EmbeddingInstance[];
}

const mostTexts = 2048;

const mapped: ReadonlySet<string> = new Set(['dimensions', 'encoding_format', 'input', 'model', 'task_type', 'title']);

type Body = Readonly<Record<string, unknown>>;

/** An OpenAI embeddings body. Refuses by throwing Refused. */
export function toEmbeddings(
  body: Body,
  family: EmbeddingFamily,
  provider: string,
  warnings: Set<string>,
): EmbeddingRequest {
  for (const [name, value] of Object.entries(body)) {
    if (mapped.has(name) || value === undefined || value === null) continue;
    if (name === 'user') warnings.add(`user was left out: ${provider} does not know it`);
    else
      unsupported(name, `${provider} has no parameter '${name}' for embeddings. Remove it, or list it in drop_params.`);
  }
  const { task_type: taskType, title } = body;
  const about = {
    ...(typeof taskType === 'string' && { task_type: taskType }),
    ...(typeof title === 'string' && { title }),
  };
  return {
    encoding: readEncoding(body.encoding_format),
    dimensions: readDimensions(body.dimensions, family),
    instances: readInput(body.input).map((content) => ({ content, ...about })),
  };
}

function readInput(input: unknown): string[] {
  const texts: unknown[] = Array.isArray(input) ? input : [input];
  if (texts.length === 0 || texts.length > mostTexts) invalid('input', `input must hold 1 to ${mostTexts} texts.`);
  return texts.map((text, index) => {
    if (typeof text === 'string') return text === '' ? invalid('input', `input[${index}] is empty.`) : text;
    return unsupported('input', 'input must be text: tokens of another model mean nothing to this one.');
  });
}

function readEncoding(format: unknown): EmbeddingRequest['encoding'] {
  if (format === undefined || format === null || format === 'float') return 'float';
  return format === 'base64' ? format : invalid('encoding_format', 'encoding_format must be float or base64.');
}

function readDimensions(dimensions: unknown, family: EmbeddingFamily): number | null {
  if (dimensions === undefined || dimensions === null) return null;
  const isUsable = typeof dimensions === 'number' && Number.isInteger(dimensions) && dimensions >= 1;
  if (isUsable && dimensions <= family.dimensions) return dimensions;
  return invalid('dimensions', `dimensions may be 1 to ${family.dimensions} for this model.`);
}

/** One embedding as the service answers it. */
export interface Embedded {
  values: number[];
  tokens: number | null;
  isTruncated: boolean;
}

/** Reads one item of `predictions`; null when it is none. */
export function readPrediction(prediction: unknown): Embedded | null {
  const embeddings = isFields(prediction) ? prediction.embeddings : undefined;
  if (!isFields(embeddings) || !Array.isArray(embeddings.values) || embeddings.values.length === 0) return null;
  if (!embeddings.values.every((value) => typeof value === 'number')) return null;
  const statistics = isFields(embeddings.statistics) ? embeddings.statistics : {};
  const tokens = statistics.token_count ?? statistics.tokenCount;
  return {
    values: embeddings.values,
    tokens: isCount(tokens) ? tokens : null,
    isTruncated: statistics.truncated === true,
  };
}

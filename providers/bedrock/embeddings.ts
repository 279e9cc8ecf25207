import type { NativeBody } from './convert-settings.ts';
import type { ModelFamily } from './models.ts';
import type { EmbeddingWork, Encoding } from './pieces.ts';
import { invalid, unsupported } from './refused.ts';

/** Cohere takes up to 96 texts in one request (parameter page of Embed v3 and v4). */
const mostTexts = 96;

/** An OpenAI embeddings request for Titan or Cohere, as an EmbeddingWork in JSON. Throws Refused. */
export function embeddingBody(
  body: Readonly<Record<string, unknown>>,
  family: ModelFamily,
  model: string,
  inputType: string,
): NativeBody {
  const warnings: string[] = [];
  for (const name of Object.keys(body)) {
    const value = body[name];
    if (value === null || value === undefined || known.has(name)) continue;
    if (name !== 'user') {
      throw unsupported(name, `'${name}' is not known for ${model}. Remove it, or list it in drop_params.`);
    }
    warnings.push('user was left out: Bedrock does not know it');
  }
  const texts = textsOf(body.input);
  const dimensions = dimensionsOf(body.dimensions, family, model);
  const inputs =
    family.form === 'cohere-embed'
      ? cohereInputs(texts, dimensions, body.input_type ?? inputType)
      : texts.map((inputText) => ({ inputText, ...(dimensions !== null && { dimensions }) }));
  const work: EmbeddingWork = { inputs, encoding: encodingOf(body.encoding_format) };
  return { body: JSON.stringify(work), warnings };
}

const known: ReadonlySet<string> = new Set(['model', 'input', 'dimensions', 'encoding_format', 'input_type']);

function cohereInputs(texts: readonly string[], dimensions: number | null, inputType: unknown): object[] {
  const inputs: object[] = [];
  for (let start = 0; start < texts.length; start += mostTexts) {
    inputs.push({
      texts: texts.slice(start, start + mostTexts),
      input_type: inputType,
      embedding_types: ['float'],
      ...(dimensions !== null && { output_dimension: dimensions }),
    });
  }
  return inputs;
}

function textsOf(input: unknown): string[] {
  const list: unknown[] = Array.isArray(input) ? input : [input];
  if (list.length > 0 && list.every((text) => typeof text === 'number' || Array.isArray(text))) {
    throw unsupported('input', 'input: Bedrock takes texts, not token numbers.');
  }
  if (list.length === 0 || !list.every((text) => typeof text === 'string' && text !== '')) {
    throw invalid('input', 'input must be a text, or a list of texts, none of them empty.');
  }
  return list as string[];
}

function dimensionsOf(value: unknown, family: ModelFamily, model: string): number | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'number' && family.dimensions?.includes(value) === true) return value;
  const offered = family.dimensions === undefined ? 'cannot be chosen' : `may be ${family.dimensions.join(', ')}`;
  throw unsupported('dimensions', `'dimensions' ${offered} for ${model}.`);
}

function encodingOf(format: unknown): Encoding {
  if (format === undefined || format === null || format === 'float') return 'float';
  if (format === 'base64') return format;
  throw invalid('encoding_format', 'encoding_format must be float or base64.');
}

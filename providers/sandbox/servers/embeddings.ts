import type { CreateEmbeddingResponse } from 'openai/resources/embeddings';
import type { Answer, Question } from './answer.ts';
import { mixNumbers, seededRandom } from './random.ts';

type EmbeddingList = Omit<CreateEmbeddingResponse, 'data' | 'usage'> & {
  data: { object: 'embedding'; index: number; embedding: number[] | string }[];
  usage?: CreateEmbeddingResponse.Usage;
};

/** Answers /v1/embeddings: unit vectors that depend on the seed and each input, as numbers or base64 float32. */
export function answerEmbeddings(question: Question): Answer {
  const { body, settings, promptTokens } = question;
  const dimensions = typeof body.dimensions === 'number' ? body.dimensions : settings.embedding_dimensions;
  const asBase64 = body.encoding_format === 'base64';
  const object: EmbeddingList = {
    object: 'list',
    model: question.model,
    data: listInputs(body.input).map((input, index) => {
      const vector = unitVector(mixNumbers(hashText(JSON.stringify(input)), settings.seed), dimensions);
      return { object: 'embedding', index, embedding: asBase64 ? toBase64(vector) : Array.from(vector) };
    }),
    ...statedUsage(question),
  };
  return { object, tokensIn: promptTokens, tokensOut: 0, cachedTokens: 0, finish: 'stop' };
}

function statedUsage({ settings, promptTokens }: Question): { usage?: CreateEmbeddingResponse.Usage } {
  if (settings.usage === 'absent') return {};
  const tokens = settings.usage === 'zeros' ? 0 : promptTokens;
  return { usage: { prompt_tokens: tokens, total_tokens: tokens } };
}

/** One input is a string or a list of token ids; several come as a list of those. */
function listInputs(input: unknown): unknown[] {
  return Array.isArray(input) && typeof input[0] !== 'number' ? input : [input];
}

function unitVector(key: number, dimensions: number): Float32Array {
  const random = seededRandom(key);
  const vector = Float32Array.from({ length: dimensions }, () => random() * 2 - 1);
  const norm = Math.hypot(...vector);
  return vector.map((value) => value / norm);
}

function toBase64(vector: Float32Array): string {
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64');
}

/** FNV-1a over UTF-16 code units. */
function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}

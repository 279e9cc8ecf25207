import type { Endpoint } from '../../src/protocol/endpoint.ts';
import type { JobForm } from './models.ts';

/** What an answer does not say itself. */
export interface AnswerFacts {
  /** Where it was asked, which decides the shape of the answer. */
  endpoint: Endpoint;
  form: JobForm;
  provider: string;
  secrets: readonly string[];
  /** The model as asked for. */
  model: string;
  /** For the answer's `id`: Converse has none. */
  id: string;
  requestId: string | null;
  /** Unix seconds, for `created`. */
  created: number;
  /** Header `x-amzn-bedrock-input-token-count`, where there is one. */
  inputTokens?: string | undefined;
}

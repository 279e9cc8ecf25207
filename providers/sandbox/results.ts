import type { ResultReaders } from '../shared/openai-results.ts';
import { failureOf } from './status.ts';
import { readUsage } from './usage.ts';

/** How this kind reads an answer in OpenAI's shape. */
export const readers: ResultReaders = { failureOf, readUsage };

export { failureOf } from '../shared/openai-status.ts';

export { usageFromOpenAI as readUsage } from '../../src/core/usage.ts';

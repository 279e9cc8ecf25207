export { usageFromMessage as readUsage } from '../shared/anthropic-messages-usage.ts';

/** OpenAI's names where it has the event; `budget.alert` is Weir's own. */
export const WEBHOOK_EVENT_TYPES = [
  'batch.completed',
  'batch.failed',
  'batch.expired',
  'batch.cancelled',
  'budget.alert',
] as const;

export type WebhookEventType = (typeof WEBHOOK_EVENT_TYPES)[number];

export type DeliveryState = 'pending' | 'delivered' | 'failed';

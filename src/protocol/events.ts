import { z } from '@hono/zod-openapi';
import { batchSchema } from './batch.ts';

/** Batches of one stream that are listed as running; more than these are only counted in `/v1/batches`. */
export const RUNNING_SHOWN = 50;

/**
 * What an event `batches` carries. `running` is whole each time, so that a reader that missed some has lost nothing;
 * `ended` are those that ended since the reader's last event. `complete: false`: the server does not know which ended
 * since then (it was restarted, or the reader was away for long), so the reader should ask again for what it shows.
 */
export const batchesEventSchema = z
  .object({
    object: z.literal('event.batches'),
    running: z.array(batchSchema),
    ended: z.array(batchSchema),
    complete: z.boolean(),
  })
  .openapi('BatchesEvent');

export type BatchesEvent = z.infer<typeof batchesEventSchema>;

import type { WebhookEvent } from '../ports/store-webhooks.ts';
import type { BatchStatus } from '../protocol/batch.ts';
import type { WebhookEventType } from '../protocol/webhook.ts';
import type { Statement } from './client.ts';

const COLUMNS = 'webhook_id, event_id, tenant_id, type, data, event_at, state, attempts, first_at, next_at, created_at';
/** `w`: the endpoints that are told of a type. */
const WANTED = 'w.disabled_at is null and exists (select 1 from json_each(w.event_types) where value = ?)';
/** An event is told once, whoever tells it again. */
const ONCE = 'on conflict (webhook_id, event_id) do nothing';

/** Puts an event into the outbox: one row for each endpoint of its tenant that asked for it. For any store write. */
export function outboxStatement({ id, tenantId, type, createdAt, data }: WebhookEvent): Statement {
  return {
    sql: `insert into webhook_deliveries (${COLUMNS})
          select w.id, ?, w.tenant_id, ?, ?, ?, 'pending', 0, ?, ?, ? from webhooks w
          where w.tenant_id = ? and ${WANTED} ${ONCE}`,
    args: [id, type, JSON.stringify(data), createdAt, createdAt, createdAt, createdAt, tenantId, type],
  };
}

const ENDINGS = {
  completed: 'batch.completed',
  failed: 'batch.failed',
  expired: 'batch.expired',
  cancelled: 'batch.cancelled',
} as const satisfies Partial<Record<BatchStatus, WebhookEventType>>;

/** Tells that a batch has just come to this status; nothing where that is no end. It belongs after the batch's update. */
export function batchEventStatements(batchId: string, status: BatchStatus): Statement[] {
  if (!(status in ENDINGS)) return [];
  const type = ENDINGS[status as keyof typeof ENDINGS];
  const at = `b.${status}_at`;
  return [
    {
      // The event's id is as unguessable as the batch's, and the same whoever tells of it.
      sql: `insert into webhook_deliveries (${COLUMNS})
            select w.id, 'evt_' || substr(b.id, 7), b.tenant_id, ?, json_object('id', b.id), ${at},
              'pending', 0, ${at}, ${at}, ${at}
            from batches b join webhooks w on w.tenant_id = b.tenant_id
            where b.id = ? and ${WANTED} ${ONCE}`,
      args: [type, batchId, type],
    },
  ];
}

/** Tells how a run of an eval has ended, in OpenAI's words; nothing while it runs. It belongs after the run's update. */
export function evalRunEventStatement(runId: string): Statement {
  return {
    sql: `with ended as (
            select id, tenant_id, ended_at, 'eval.run.' || iif(status = 'completed', 'succeeded', status) as type
            from eval_runs where id = ? and status in ('completed', 'failed', 'canceled'))
          insert into webhook_deliveries (${COLUMNS})
          select w.id, 'evt_' || substr(r.id, 9), r.tenant_id, r.type, json_object('id', r.id), r.ended_at,
            'pending', 0, r.ended_at, r.ended_at, r.ended_at
          from ended r join webhooks w on w.tenant_id = r.tenant_id
          where ${WANTED.replace('?', 'r.type')} ${ONCE}`,
    args: [runId],
  };
}

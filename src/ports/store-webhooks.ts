import type { DeliveryState, WebhookEventType } from '../protocol/webhook.ts';
import type { ListQuery, Scope } from './store-query.ts';

/** Something that happened to a tenant. */
export interface WebhookEvent {
  /** `evt_…`, unguessable. An event of an id that was told before is not told again. */
  id: string;
  tenantId: string;
  type: WebhookEventType;
  /** Unix seconds. */
  createdAt: number;
  /** The event's `data`. */
  data: Record<string, unknown>;
}

export interface WebhookRow {
  id: string;
  tenantId: string;
  keyId: string | null;
  name: string;
  url: string;
  eventTypes: WebhookEventType[];
  /** `whsec_…`: deliveries are signed with it, so it cannot be a hash. It leaves the server once. */
  secret: string;
  /** The secret before; deliveries carry its signature too until `previousUntil`. */
  previousSecret: string | null;
  previousUntil: number | null;
  disabledAt: number | null;
  disabledReason: 'gone' | 'by_request' | null;
  createdAt: number;
  updatedAt: number;
}

export interface DeliveryRow {
  webhookId: string;
  eventId: string;
  tenantId: string;
  type: WebhookEventType;
  data: Record<string, unknown>;
  /** When the event happened. */
  eventAt: number;
  state: DeliveryState;
  attempts: number;
  /** From when its tries are counted: its creation, or the last time somebody asked for it again. */
  firstAt: number;
  nextAt: number;
  statusCode: number | null;
  error: string | null;
  createdAt: number;
  attemptedAt: number | null;
  endedAt: number | null;
}

/** A leased delivery, with its endpoint as it is now. */
export interface DueDelivery {
  delivery: DeliveryRow;
  webhook: WebhookRow;
}

/** What became of one try. `gone`: the endpoint asked for no more, and is disabled with everything that waits for it. */
export type DeliveryOutcome =
  | { outcome: 'delivered'; statusCode: number }
  | { outcome: 'retry'; statusCode: number | null; error: string; nextAt: number }
  | { outcome: 'failed' | 'gone'; statusCode: number | null; error: string };

export type WebhookChange = Partial<Pick<WebhookRow, 'name' | 'url' | 'eventTypes'>> & { enabled?: boolean };

export interface StoreWebhooks {
  /** False, with nothing added, when the tenant has `most` already. */
  insert(row: WebhookRow, most: number): Promise<boolean>;
  get(scope: Scope, id: string): Promise<WebhookRow | null>;
  /** Null when `after` names none in scope. */
  list(scope: Scope, query: ListQuery): Promise<WebhookRow[] | null>;
  /** The changed row; null when there is none in scope. Disabling ends what waits for it. */
  update(scope: Scope, id: string, change: WebhookChange, now: number): Promise<WebhookRow | null>;
  /** A new secret, where it is not its secret already; the one before stays until `previousUntil`, if that is not null. */
  rotate(
    scope: Scope,
    id: string,
    change: { secret: string; previousUntil: number | null; now: number },
  ): Promise<WebhookRow | null>;
  /** Removes it with its deliveries; false when there is none in scope. */
  delete(scope: Scope, id: string): Promise<boolean>;

  /** Leases up to `limit` deliveries that are due, at most `perWebhook` of one endpoint and none of `busy`. */
  claimDue(query: {
    now: number;
    until: number;
    token: string;
    limit: number;
    perWebhook: number;
    busy: readonly string[];
  }): Promise<DueDelivery[]>;
  /** Ends a try. False when `token` does not hold the delivery any more. */
  settle(
    delivery: Pick<DeliveryRow, 'webhookId' | 'eventId'>,
    token: string,
    outcome: DeliveryOutcome,
    now: number,
  ): Promise<boolean>;
  /** Ends the leases of everyone but that token: nobody else works on this database. */
  recover(query: { others: string }): Promise<void>;
  /** Of one endpoint; null when `after` names none of them. */
  deliveries(webhookId: string, query: ListQuery): Promise<DeliveryRow[] | null>;
  /** Makes an ended delivery due again, and its time start anew; null when there is none. A pending one is due now. */
  redeliver(webhookId: string, eventId: string, now: number): Promise<DeliveryRow | null>;
  /** Removes up to `limit` deliveries that ended before. */
  deleteEndedBefore(endedAt: number, limit: number): Promise<void>;
  countPending(): Promise<number>;
}

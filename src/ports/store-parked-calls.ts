import type { Endpoint } from '../protocol/endpoint.ts';
import type { Metadata } from '../protocol/metadata.ts';
import type { Scope } from './store-query.ts';

/** A synchronous call that waits to be answered from a batch. */
export interface ParkedCallRow {
  id: string;
  tenantId: string;
  keyId: string | null;
  /** What a repeated request is recognised by: a hash of the client's Idempotency-Key, or of what was asked. */
  dedupe: string;
  /** True when `dedupe` is the client's own key: then there is one row of it. */
  named: boolean;
  /** Hash of what was asked. */
  fingerprint: string;
  /** Calls with the same one go into one batch. */
  groupKey: string;
  endpoint: Endpoint;
  /** The route as the client named it, or wrote it out. */
  config: unknown;
  /** A completion window. */
  window: string;
  metadata: Metadata | null;
  /** The request's body, as JSON text. */
  body: string;
  createdAt: number;
  /** The group it was taken into. */
  groupId: string | null;
  /** The batch that the group became. */
  batchId: string | null;
  /** HTTP status of the answer; null until there is one. */
  status: number | null;
  answer: string | null;
  /** When a client took the answer. */
  deliveredAt: number | null;
}

/** Calls of one kind that are in no batch yet. */
export interface WaitingCalls {
  groupKey: string;
  calls: number;
  bytes: number;
  /** When the first of them came. */
  oldest: number;
}

/** A group with calls that have no answer. */
export interface OpenGroup {
  groupId: string;
  batchId: string | null;
}

export interface StoreParkedCalls {
  /** Adds a row; a named one that is there already is left as it is. Answers whether it was added. */
  insert(row: ParkedCallRow): Promise<boolean>;
  get(scope: Scope, id: string): Promise<ParkedCallRow | null>;
  /** Rows that a repeated request may mean, oldest first: not delivered, or delivered since then. At most 1,000. */
  find(tenantId: string, dedupe: string, deliveredSince: number): Promise<ParkedCallRow[]>;
  waiting(): Promise<WaitingCalls[]>;
  /** Takes the oldest `limit` calls of a kind into a group. Answers how many. */
  take(groupKey: string, groupId: string, limit: number): Promise<number>;
  openGroups(): Promise<OpenGroup[]>;
  /** The calls of a group, by id. */
  ofGroup(groupId: string): Promise<ParkedCallRow[]>;
  setBatch(groupId: string, batchId: string): Promise<void>;
  /** Keeps answers; a call that has one keeps it. */
  answer(answers: readonly { id: string; status: number; answer: string }[]): Promise<void>;
  /** Which of these calls have an answer. */
  answered(ids: readonly string[]): Promise<string[]>;
  deliver(id: string, now: number): Promise<void>;
  /** Removes answered calls whose batch ended before that time, in unix seconds; of one without a batch, that were made before it. */
  deleteAnsweredBefore(time: number): Promise<void>;
}

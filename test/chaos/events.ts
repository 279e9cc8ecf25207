/** The receivers of webhooks in a chaos run, one for each tenant, and what they were told of the ends of batches. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { BatchObject } from '../../src/protocol/batch.ts';
import { connect } from '../e2e/weir.ts';
import { type Receiver, startReceiver } from '../services/webhook-receiver.ts';
import type { Batches } from './batches.ts';
import type { Evals } from './evals.ts';
import type { Server } from './server.ts';
import { untilRight } from './until-right.ts';

const EVENT_TYPES = [
  ...['batch.completed', 'batch.failed', 'batch.expired', 'batch.cancelled'],
  ...['eval.run.succeeded', 'eval.run.failed', 'eval.run.canceled'],
];
const LOOK_MS = 500;
/** A delivery that a killed server had begun is another's after a minute, for which no run has the time. */
const LEASE_JUMP_MS = 61_000;
const JUMP_EVERY = 10;
/** In seconds: the clocks of the servers are off by more than a client lets pass. */
const ANY_AGE = 1e9;

interface Endpoint {
  receiver: Receiver;
  secret: string;
}

export class Events {
  /** By tenant. */
  private readonly endpoints: Endpoint[] = [];

  async open({ clients }: Batches): Promise<void> {
    for (const [tenant, client] of clients.entries()) {
      const receiver = await startReceiver();
      const body = () => JSON.stringify({ name: `of ${tenant}`, url: receiver.url, event_types: EVENT_TYPES });
      const init = { method: 'POST', body, key: randomUUID() };
      const made = await client.json<{ id: string; signing_secret?: string }>('/v1/webhooks', init);
      // Whoever asks again after an answer that was lost may be shown it without the secret, and takes a new one.
      const rotate = () =>
        client.json<{ signing_secret: string }>(`/v1/webhooks/${made.id}/rotate_secret`, { method: 'POST' });
      const secret = made.signing_secret ?? (await rotate()).signing_secret;
      this.endpoints.push({ receiver, secret });
    }
  }

  /**
   * Every batch and every run of an eval that has ended was told of to its tenant, at least once and always as the same
   * event, which says how it ended; nothing else was told, and nobody else told of it.
   */
  async assertTold({ clients, submitted }: Batches, evals: Evals, servers: readonly Server[]): Promise<void> {
    const ends = new Map<string, { tenant: number; type: string }>();
    for (const { id, tenant } of submitted) {
      const { status } = await (clients[tenant] as (typeof clients)[number]).json<BatchObject>(`/v1/batches/${id}`);
      ends.set(id, { tenant, type: `batch.${status}` });
    }
    for (const run of evals.runs) {
      const { status } = await evals.retrieve(run);
      ends.set(run.id, { tenant: run.tenant, type: `eval.run.${status === 'completed' ? 'succeeded' : status}` });
    }
    await untilRight(async (round) => {
      const told = new Set((await this.read()).map(({ id }) => id));
      const missing = [...ends.keys()].filter((id) => !told.has(id));
      const isTimeToJump = missing.length > 0 && round % JUMP_EVERY === JUMP_EVERY - 1;
      if (isTimeToJump) for (const server of servers) server.clockJumps(LEASE_JUMP_MS);
      return missing.map((id) => `never told of: ${id}`);
    }, LOOK_MS);
    const told = await this.read();
    for (const { id, tenant, type } of told) assert.deepEqual({ tenant, type }, ends.get(id), `of ${id}`);
    assert.equal(new Set(told.map(({ event }) => event)).size, ends.size, 'the end of a batch is one event');
  }

  async close(): Promise<void> {
    await Promise.all(this.endpoints.map(({ receiver }) => receiver.close()));
  }

  private async read(): Promise<{ tenant: number; event: string; type: string; id: string }[]> {
    const { webhooks } = connect('http://localhost').client;
    const told = this.endpoints.flatMap(({ receiver, secret }, tenant) =>
      receiver.received.map(async ({ body, headers }) => {
        const {
          id: event,
          type,
          data,
        } = await webhooks.unwrap(body, headers as Record<string, string>, secret, ANY_AGE);
        return { tenant, event, type, id: (data as { id: string }).id };
      }),
    );
    return Promise.all(told);
  }
}

/** Synchronous calls of a chaos run: each sent once, whole or as a stream, to one server. */
import type { LedgerEntryObject } from '../../src/protocol/ledger.ts';
import { type EntryPage, followEntries } from '../e2e/invariants.ts';
import type { Action } from './actions.ts';
import type { Batches } from './batches.ts';
import { healedBody } from './healing.ts';
import { isCall, PREFIXES } from './line-keys.ts';
import type { Server } from './server.ts';

const ANSWER_MS = 5_000;
/** A server that did not take a call writes its entries within moments of it. */
const LOOKS = 40;
const LOOK_MS = 250;

export class Calls {
  /** Ids of calls whose client has the whole answer. */
  readonly answered = new Set<string>();
  private readonly servers: readonly Server[];
  private readonly batches: Batches;
  private made = 0;

  constructor(servers: readonly Server[], batches: Batches) {
    this.servers = servers;
    this.batches = batches;
  }

  /** That it is not answered, or badly, is for the ledger to say: calls are lost as their servers are. */
  async send({ tenant, server, route, stream }: Extract<Action, { do: 'call' }>): Promise<void> {
    const key = `${PREFIXES.call}${this.made++}`;
    const url = this.servers[server]?.url;
    if (!url) return;
    const messages = [{ role: 'user', content: `Say ${key}.` }];
    const answer = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${this.batches.client(tenant).key}`,
        'content-type': 'application/json',
        'x-request-id': key,
      },
      body: JSON.stringify({
        ...{ model: 'gpt-4o-mini', config: route, messages, max_tokens: 16, stream },
        ...healedBody(route, this.made),
      }),
      signal: AbortSignal.timeout(ANSWER_MS),
    }).catch(() => null);
    const text = (await answer?.text().catch(() => null)) ?? '';
    if (answer?.status === 200 && (!stream || text.endsWith('data: [DONE]\n\n'))) this.answered.add(key);
  }

  /** All entries of calls (`isOwn`) by their ids, once those that were answered are there. */
  async untilEntered(
    isOwn: (id: string) => boolean = isCall,
    answered: Iterable<string> = this.answered,
  ): Promise<Map<string, LedgerEntryObject[]>> {
    for (let look = 1; ; look++) {
      const found = new Map<string, LedgerEntryObject[]>();
      for (const client of this.batches.clients) {
        for (const entry of await followEntries((path) => client.json<EntryPage>(path))) {
          const { custom_id: key } = entry;
          if (key !== null && isOwn(key)) found.set(key, [...(found.get(key) ?? []), entry]);
        }
      }
      if (look === LOOKS || [...answered].every((key) => found.has(key))) return found;
      await new Promise((wake) => setTimeout(wake, LOOK_MS));
    }
  }
}

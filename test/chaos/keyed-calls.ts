/** Synchronous calls under an Idempotency-Key, by clients that lose patience and ask again, of whichever server is up. */
import assert from 'node:assert/strict';
import type { LedgerEntryObject } from '../../src/protocol/ledger.ts';
import type { Action } from './actions.ts';
import type { Batches } from './batches.ts';
import type { Calls } from './calls.ts';
import { keyIn, PREFIXES } from './line-keys.ts';
import type { Server } from './server.ts';
import { untilRight } from './until-right.ts';

const PAUSE_MS = 100;
const PATIENCE_MS = 5_000;
const LAPSED = 'the lease of an idempotency key lapsed';
const FORGOTTEN = 'an idempotent answer was not remembered';

interface KeyedCall {
  key: string;
  tenant: number;
  body: string;
  tries: number;
  /** Tries whose answer nobody got: each may have been paid for. */
  lost: number;
  /** What the client was answered, once and for all: the status and the text. */
  answer: string | null;
  /** Ids of tries whose answer had to be made. */
  made: string[];
}

export class KeyedCalls {
  /** Ends the patience of all that ask. */
  isOver = false;
  private readonly servers: readonly Server[];
  private readonly batches: Batches;
  private readonly calls: Calls;
  private readonly begun: KeyedCall[] = [];

  constructor(servers: readonly Server[], batches: Batches, calls: Calls) {
    this.servers = servers;
    this.batches = batches;
    this.calls = calls;
  }

  /** Asks until it is answered or the run is over; twins ask the same under the same key side by side. */
  async send({ tenant, route, patienceMs, twins }: Extract<Action, { do: 'keyed call' }>): Promise<void> {
    const key = `${PREFIXES.keyed}${this.begun.length}`;
    const messages = [{ role: 'user', content: `Say ${key}.` }];
    const body = JSON.stringify({ model: 'gpt-4o-mini', config: route, messages, max_tokens: 16 });
    const call: KeyedCall = { key, tenant, body, tries: 0, lost: 0, answer: null, made: [] };
    this.begun.push(call);
    const insist = async (): Promise<void> => {
      while (!this.isOver && !(await this.ask(call, patienceMs)))
        await new Promise((wake) => setTimeout(wake, PAUSE_MS));
    };
    await Promise.all(Array.from({ length: twins }, insist));
  }

  /** In the end every call has its answer. */
  async finish(): Promise<void> {
    await Promise.all(
      this.begun.map((call) =>
        untilRight(async () => ((await this.ask(call, PATIENCE_MS)) ? [] : [`${call.key} is not answered`])).catch(
          (error: Error) => this.batches.wrongs.push(`I4: ${error.message}`),
        ),
      ),
    );
  }

  /**
   * Every answered call gives its answer again. One whose client left is made all the same: an answer is bought again
   * only where a try ended without one while the server, or its hold on the key, was interrupted.
   */
  async assertOnce(entries: ReadonlyMap<string, LedgerEntryObject[]>, interruptions: number): Promise<void> {
    const lapses = this.servers.reduce((sum, { log }) => sum + log.split(LAPSED).length - 1, 0);
    for (const call of this.begun) await this.ask(call, PATIENCE_MS);
    const ids = Map.groupBy(entries.keys(), keyIn);
    for (const call of this.begun) {
      const own = ids.get(call.key)?.flatMap((id) => entries.get(id) ?? []) ?? [];
      const paid = own.filter(({ status }) => status === 'succeeded').length;
      const most = 1 + Math.min(call.lost, interruptions) + this.forgotten(call) + lapses;
      assert(paid <= most, `${call.key} was paid for ${paid} times: ${JSON.stringify(call)}`);
    }
  }

  /** True when there is an answer: the server's word on the request. */
  private async ask(call: KeyedCall, patienceMs: number): Promise<boolean> {
    const number = call.tries++;
    const url = this.servers[number % this.servers.length]?.url;
    if (!url) return false;
    const id = `${call.key}.${number}`;
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${this.batches.client(call.tenant).key}`,
        'content-type': 'application/json',
        'idempotency-key': call.key,
        'x-request-id': id,
      },
      body: call.body,
      signal: AbortSignal.timeout(patienceMs),
    }).catch(() => null);
    const text = await response?.text().catch(() => null);
    if (!response || typeof text !== 'string') {
      call.lost += 1;
      return false;
    }
    const { status, headers } = response;
    if (status >= 500 || status === 429 || status === 408 || text.includes('idempotency_key_in_use')) return false;
    const answer = `${status} ${text}`;
    const isMade = status === 200 && headers.get('idempotent-replayed') !== 'true';
    const isOther = call.answer !== null && (isMade || answer !== call.answer);
    if (isOther && this.forgotten(call) === 0)
      this.batches.wrongs.push(`I7: ${id} was answered ${call.answer}, and then ${isMade ? 'anew' : ''} ${answer}`);
    if (isMade) {
      call.made.push(id);
      this.calls.answered.add(id);
    }
    call.answer = answer;
    return true;
  }

  /** How many of its answers were given while there was no place to remember them, as the log says. */
  private forgotten({ made }: KeyedCall): number {
    const lines = this.servers.flatMap(({ log }) => log.split('\n')).filter((line) => line.includes(FORGOTTEN));
    return made.filter((id) => lines.some((line) => line.includes(`"${id}"`))).length;
  }
}

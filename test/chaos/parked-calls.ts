/** Calls that are answered from batches, by clients that lose patience and ask again, of whichever server is up. */
import assert from 'node:assert/strict';
import type { OutputLine } from '../../src/protocol/result-line.ts';
import type { Action } from './actions.ts';
import type { Batches } from './batches.ts';
import { PREFIXES } from './line-keys.ts';
import type { Server } from './server.ts';
import { untilRight } from './until-right.ts';

const PAUSE_MS = 100;
/** A client that waits at a server which lives is answered long before: a batch that had troubles at its service takes some time. */
const PATIENCE_MS = 90_000;

interface ParkedCall {
  key: string;
  tenant: number;
  body: string;
  /** The window that its batch may have; null: the server's own. */
  deadline: string | null;
  tries: number;
  answer: { id: string; batchId: string; status: number; text: string } | null;
}

export class ParkedCalls {
  /** When the troubles are over, whoever asks has patience: on a busy machine an answer may never be there in less. */
  isOver = false;
  private readonly servers: readonly Server[];
  private readonly batches: Batches;
  private readonly begun: ParkedCall[] = [];

  constructor(servers: readonly Server[], batches: Batches) {
    this.servers = servers;
    this.batches = batches;
  }

  /** Asks until it is answered. */
  async send({ tenant, route, patienceMs }: Extract<Action, { do: 'parked call' }>): Promise<void> {
    const key = `${PREFIXES.parked}${this.begun.length}`;
    const messages = [{ role: 'user', content: `Say ${key}.` }];
    const asked = { model: 'gpt-4o-mini', config: route, metadata: { route }, messages, max_tokens: 16 };
    const deadline = route === 'native' ? '24h' : null;
    const call: ParkedCall = { key, tenant, body: JSON.stringify(asked), deadline, tries: 0, answer: null };
    this.begun.push(call);
    const patience = () => (this.isOver ? PATIENCE_MS : (patienceMs ?? PATIENCE_MS));
    await untilRight(async () => ((await this.ask(call, patience())) ? [] : [`${key} is not answered`]), PAUSE_MS);
  }

  /** Each call is one line of one batch, which ended as the call was answered, and gives the same answer again. */
  async assertOnce(lines: ReadonlyMap<string, readonly OutputLine[]>): Promise<void> {
    const { submitted, damaged } = this.batches;
    for (const call of this.begun) {
      const { answer, key } = call;
      assert(answer, `${key} is not answered`);
      await this.ask(call, PATIENCE_MS);
      const named = submitted.filter(({ input }) => input.includes(`Say ${key}.`)).map(({ id }) => id);
      assert.deepEqual(named, answer.status < 500 || named.length > 0 ? [answer.batchId] : [], `the batches of ${key}`);
      if (damaged.has(answer.batchId)) continue;
      const own = lines.get(answer.batchId)?.filter(({ custom_id: id }) => id === answer.id) ?? [];
      assert.equal(own.length, 1, `${key} is ${own.length} lines of its batch`);
      const { response, error } = own[0] as OutputLine;
      if (response === null) assert(answer.text.includes(error?.code ?? 'no error'), `${key}: ${answer.text}`);
      else assert.deepEqual([answer.status, JSON.parse(answer.text)], [response.status_code, response.body], key);
    }
  }

  /** Where a server answers, once it does: on a busy machine starts take longer than all of a client's tries. */
  private async untilUp(index: number): Promise<string | null> {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const url = this.servers[index]?.url ?? null;
      if (url !== null || Date.now() > deadline) return url;
      await new Promise((wake) => setTimeout(wake, PAUSE_MS));
    }
  }

  /** True when there is an answer. */
  private async ask(call: ParkedCall, patienceMs: number): Promise<boolean> {
    const url = await this.untilUp(call.tries++ % this.servers.length);
    if (url === null) return false;
    const response = await fetch(`${url}/batching/v1/chat/completions`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${this.batches.client(call.tenant).key}`,
        'content-type': 'application/json',
        'idempotency-key': call.key,
        ...(call.deadline !== null && { 'x-weir-deadline': call.deadline }),
      },
      body: call.body,
      signal: AbortSignal.timeout(patienceMs),
    }).catch((error: Error) => {
      if (error.name === 'TimeoutError' && patienceMs === PATIENCE_MS)
        throw new Error(`I4: ${call.key} waited ${PATIENCE_MS / 1000} s for nothing`);
      return null;
    });
    const text = await response?.text().catch(() => null);
    const [id, batchId] = ['x-weir-call', 'x-weir-batch'].map((name) => response?.headers.get(name) ?? null);
    // Without them it is no call's own answer: it waits still, or its server has troubles.
    if (!response || typeof text !== 'string' || !id || !batchId) return false;
    const answer = { id, batchId, status: response.status, text };
    if (call.answer !== null)
      assert.deepEqual(answer, call.answer, `I7: ${call.key} was answered before, and otherwise`);
    call.answer = answer;
    return true;
  }
}

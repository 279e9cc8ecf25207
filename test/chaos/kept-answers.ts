/** Questions whose answers are given again: the same few, in the same words, from lines and calls of every tenant. */
import assert from 'node:assert/strict';
import type { LedgerEntryObject } from '../../src/protocol/ledger.ts';
import type { OutputLine } from '../../src/protocol/result-line.ts';
import { type Action, KEPT_ROUTES } from './actions.ts';
import type { Batches, Submitted } from './batches.ts';
import type { Calls } from './calls.ts';
import { keyIn, PREFIXES } from './line-keys.ts';
import type { Server } from './server.ts';

/** Few, so that most are asked over and over. */
export const QUESTIONS = 6;
const ANSWER_MS = 5_000;
const TOKENS = 64;
const PAID_BY_THE_HOUR = 'pool-1';
const ID_PREFIX = 'kept-call-';

type KeptAsk = Omit<Extract<Action, { do: 'kept call' }>, 'do'>;

interface KeptCall {
  id: string;
  tenant: number;
  key: string;
  isHit: boolean;
  cache: Extract<Action, { do: 'kept call' }>['cache'];
  text: string;
}

/** What is asked; the tenant stands beside it where it makes no other question, else in its text. */
function question(route: (typeof KEPT_ROUTES)[number], tenant: number, number: number): object {
  const said = `Say ${PREFIXES.kept}${number}`;
  const content = route === 'kept' ? `${said}.` : `${said} for tenant-${tenant}.`;
  const messages = [{ role: 'user', content }];
  return { model: 'gpt-4o-mini', messages, max_tokens: TOKENS, ...(route === 'kept' && { user: `tenant-${tenant}` }) };
}

/** The `index`th line of a file on such a route, of names that are no keys; null for other routes. */
export function keptLine(route: string, tenant: number, file: number, index: number): object | null {
  const kept = KEPT_ROUTES.find((name) => name === route);
  if (kept === undefined) return null;
  const body = question(kept, tenant, (index * index + file) % QUESTIONS);
  return { custom_id: `kept-${file}-${index}`, method: 'POST', url: '/v1/chat/completions', body };
}

/** Whether an entry is of an answer that was there already. */
export function isHit({ raw_usage: raw }: Pick<LedgerEntryObject, 'raw_usage'>): boolean {
  return typeof raw === 'object' && raw !== null && 'cache' in raw && raw.cache === 'hit';
}

/** What pools answer to these questions: no two answers are alike, and each says whom it is for. */
export class KeptTexts {
  private readonly keys = new Map<string, string>();

  /** The text for a request; undefined for requests of other kinds. */
  answer(body: object): string | undefined {
    const key = keyIn(JSON.stringify(body));
    if (key?.startsWith(PREFIXES.kept) !== true) return undefined;
    const text = `Answer ${this.keys.size} is for ${key}`;
    this.keys.set(text, key);
    return text;
  }

  assertFor(key: string, text: string, who: string): void {
    const own = this.keys.get(text);
    assert.equal(own, key, `I9: ${who} asked ${key} and was told '${text}', which was said to ${own ?? 'nobody'}`);
  }
}

export class KeptAnswers {
  private readonly servers: readonly Server[];
  private readonly batches: Batches;
  private readonly calls: Calls;
  private readonly texts: KeptTexts;
  private readonly answered: KeptCall[] = [];
  /** The keys of all that was asked, by the ids of calls. */
  private readonly asked = new Map<string, string>();
  /** Calls that had no good answer, by their keys: whoever kills a server loses the entries of calls in flight. */
  readonly lost = new Map<string, number>();
  /** Calls that want no kept answer, by their keys. */
  private readonly past = new Map<string, number>();

  constructor(servers: readonly Server[], batches: Batches, calls: Calls, texts: KeptTexts) {
    this.servers = servers;
    this.batches = batches;
    this.calls = calls;
    this.texts = texts;
  }

  /** Asks once; null when there was no good answer. */
  async send(action: KeptAsk): Promise<KeptCall | null> {
    const { tenant, server, stream, cache } = action;
    const body = { ...question('kept', tenant, action.question), stream };
    const key = keyIn(JSON.stringify(body)) ?? '';
    const id = `${ID_PREFIX}${this.asked.size}`;
    this.asked.set(id, key);
    if (cache !== 'use') this.past.set(key, (this.past.get(key) ?? 0) + 1);
    const url = this.servers[server]?.url;
    if (!url) return null;
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${this.batches.client(tenant).key}`,
        'content-type': 'application/json',
        'x-request-id': id,
        'x-weir-config': 'kept',
        ...(cache !== 'use' && { 'x-weir-cache': cache }),
      },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWER_MS),
    }).catch(() => null);
    const said = (await response?.text().catch(() => null)) ?? '';
    if (response?.status !== 200 || (stream && !said.endsWith('data: [DONE]\n\n'))) {
      this.lost.set(key, (this.lost.get(key) ?? 0) + 1);
      return null;
    }
    const call = {
      id,
      tenant,
      key,
      cache,
      isHit: response.headers.get('x-weir-cache') === 'hit',
      text: stream ? textOfStream(said) : textOfBody(JSON.parse(said)),
    };
    this.answered.push(call);
    return call;
  }

  /**
   * When all is calm: answers that calls have had just before their server is killed are there afterwards, or are bought
   * once more, and then they are there.
   */
  async askAcrossKill(received: (key: string) => number): Promise<void> {
    if (this.asked.size === 0) return;
    const server = 0;
    const asks = this.batches.clients.flatMap((_, tenant) =>
      [0, 1].map((number) => ({ tenant, server, question: number, stream: tenant === 1, cache: 'use' as const })),
    );
    const askAll = () => Promise.all(asks.map(async (ask) => this.insist(ask)));
    const before = await askAll();
    const counts = before.map(({ key }) => received(key));
    await this.servers[server]?.kill();
    await this.servers[server]?.start();
    const after = await askAll();
    const again = await askAll();
    for (const [index, call] of again.entries()) {
      const [first, second] = [before[index], after[index]];
      const bought = received(call.key) - (counts[index] ?? 0);
      assert(bought === (second?.isHit ? 0 : 1), `${call.key} was bought ${bought} times after a kill`);
      assert(call.isHit, `${call.key}: its answer was not kept`);
      assert.equal(call.text, second?.text, `${call.key}: another answer than the one that is kept`);
      if (second?.isHit) assert.equal(second.text, first?.text, `${call.key}: a kill has changed its answer`);
    }
  }

  /** Asks until there is an answer: a server that has just begun may not know its pools yet. */
  private async insist(ask: KeptAsk): Promise<KeptCall> {
    for (let tries = 0; tries < 40; tries++) {
      const call = await this.send(ask);
      if (call !== null) return call;
      await new Promise((wake) => setTimeout(wake, 250));
    }
    throw new Error(`question ${ask.question} of tenant ${ask.tenant} is not answered`);
  }

  /** The entries of the calls, their ids replaced by the keys of what they asked. Throws where one does not say what its call was. */
  async entries(): Promise<LedgerEntryObject[]> {
    if (this.asked.size === 0) return [];
    const ids = this.answered.map(({ id }) => id);
    const found = await this.calls.untilEntered((id) => this.asked.has(id), ids);
    for (const { id, key, isHit: wasHit, cache } of this.answered) {
      const good = (found.get(id) ?? []).filter(({ status }) => status === 'succeeded');
      assert.equal(good.length, 1, `${id} was answered and has ${good.length} entries that say so`);
      assert.equal(
        good.some(isHit),
        wasHit,
        `${id} (${key}): ${wasHit ? 'a hit is entered as a call' : 'a hit that was none'}`,
      );
      assert(!wasHit || cache === 'use', `${id} did not want a kept answer`);
    }
    return [...found].flatMap(([id, own]) => own.map((entry) => ({ ...entry, custom_id: this.asked.get(id) ?? id })));
  }

  /** Every answer is one that its own tenant's question was given. */
  assertOwn(lines: ReadonlyMap<string, readonly OutputLine[]>): void {
    for (const { id, key, text } of this.answered) this.texts.assertFor(key, text, id);
    for (const batch of this.batches.submitted.filter(({ route }) => route === 'kept')) {
      for (const { custom_id: id, response, error, weir } of lines.get(batch.id) ?? []) {
        if (error !== null) continue;
        const key = keyIn(batch.input.split('\n')[weir.line - 1] ?? '') ?? '';
        this.texts.assertFor(key, textOfBody(response?.body), `${id} of ${batch.id}`);
      }
    }
  }

  /** How often a question may be bought of a pool: by each life of a server, whole and as a stream, and anew where that was wanted. */
  mostBought(key: string, servers: number, interruptions: number): number {
    return 2 * (servers + interruptions + this.notKept()) + (this.past.get(key) ?? 0);
  }

  /** How many times answers could not be kept or found, as the logs say. */
  private notKept(): number {
    const lines = this.servers.flatMap(({ log }) => log.split('\n'));
    return lines.filter((line) => /answers could not be kept|the cache does not answer/.test(line)).length;
  }
}

/** A hit costs nothing, and says what was saved. */
export function assertHitsAreFree(entries: readonly LedgerEntryObject[], batches: readonly Submitted[]): void {
  const kept = new Set(batches.filter(({ route }) => KEPT_ROUTES.some((name) => name === route)).map(({ id }) => id));
  for (const entry of entries.filter(isHit)) {
    const { id, batch_id: batch, status, usage, amount_nano_usd: amount, list_amount_nano_usd: list } = entry;
    const shown = JSON.stringify(entry);
    assert(batch === null || kept.has(batch), `${id} is a hit on a route that keeps no answers: ${shown}`);
    assert.deepEqual([status, usage, amount], ['succeeded', null, 0], `${id} is a hit that is billed: ${shown}`);
    // What an answer of a pool that is paid by the hour took, nobody has kept.
    const isOfHours = entry.provider === PAID_BY_THE_HOUR && list === null;
    assert(isOfHours || (list !== null && list > 0), `${id} is a hit that does not say what it saved: ${shown}`);
  }
}

function textOfBody(body: unknown): string {
  const { choices } = body as { choices: { message: { content: string } }[] };
  return choices[0]?.message.content ?? '';
}

function textOfStream(text: string): string {
  return text
    .split('\n')
    .filter((line) => line.startsWith('data: {'))
    .map((line) => JSON.parse(line.slice('data: '.length)) as { choices: { delta: { content?: string } }[] })
    .map(({ choices }) => choices[0]?.delta.content ?? '')
    .join('');
}

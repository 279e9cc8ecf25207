/** The clients' side of a chaos run: what they submit, command and see. */
import { randomUUID } from 'node:crypto';
import type { BatchObject } from '../../src/protocol/batch.ts';
import type { OutputLine } from '../../src/protocol/result-line.ts';
import { type Action, ALL_ROUTES, type Command, EVAL_TAG, type RouteName, TENANTS } from './actions.ts';
import { Client } from './client.ts';
import { healedBody } from './healing.ts';
import { keptLine } from './kept-answers.ts';
import type { Plan } from './plan.ts';
import type { Server } from './server.ts';

export interface Submitted {
  id: string;
  tenant: number;
  route: RouteName | typeof EVAL_TAG;
  input: string;
  metadata: Record<string, string>;
  /** What created it: repeated, it must create nothing more. null: nobody asked for it as a batch. */
  creation: { key: string; path: string; body: string } | null;
}

export class Batches {
  readonly submitted: Submitted[] = [];
  readonly clients: Client[] = [];
  /** What must never happen, as it was seen. */
  readonly wrongs: string[] = [];
  /** Of which files of results were damaged: there results may become errors that say so. */
  readonly damaged = new Set<string>();
  readonly withoutInput = new Set<string>();
  private readonly seen = new Map<string, string>();
  private files = 0;

  /** Makes the tenants with their keys, and a budget for the batches of each route. */
  async open(servers: readonly Server[], adminKey: string, { tightNano }: Plan): Promise<void> {
    const admin = new Client(servers, adminKey);
    for (const route of [...ALL_ROUTES, EVAL_TAG]) {
      const isTight = route === 'chain' && tightNano !== null;
      const limit = isTight ? { limit_nano_usd: tightNano, on_insufficient: 'stop' } : { limit_usd: 1_000 };
      // From the beginning of time, as no server's clock is to be trusted.
      const of = { tag: { key: 'route', value: route }, period: 'total', starts_at: 0 };
      const body = () => JSON.stringify({ name: route, ...of, ...limit });
      await admin.json('/v1/budgets', { method: 'POST', body, key: randomUUID() });
    }
    for (let tenant = 0; tenant < TENANTS; tenant++) {
      const body = () => JSON.stringify({ name: `tenant ${tenant}`, tenant_id: `tenant-${tenant}`, role: 'user' });
      const { secret } = await admin.json<{ secret: string }>('/v1/keys', { method: 'POST', body });
      this.clients.push(new Client(servers, secret));
    }
  }

  client(tenant: number): Client {
    return this.clients[tenant] as Client;
  }

  async submit({ tenant, lines, route, window }: Extract<Action, { do: 'submit' }>): Promise<void> {
    const input = this.input(lines, route, tenant);
    const client = this.client(tenant);
    const { id: fileId } = await client.json<{ id: string }>('/v1/files', {
      method: 'POST',
      body: () => {
        const form = new FormData();
        form.set('purpose', 'batch');
        form.set('file', new File([input], 'input.jsonl'));
        return form;
      },
    });
    const body = JSON.stringify({
      input_file_id: fileId,
      endpoint: '/v1/chat/completions',
      completion_window: window,
      config: route,
      metadata: { route },
    });
    const creation = { key: randomUUID(), path: '/v1/batches', body };
    const { status, text } = await client.ask(creation.path, { method: 'POST', body: () => body, key: creation.key });
    if (status === 429) return;
    if (status !== 200) throw new Error(`create: ${status} ${text}`);
    this.submitted.push({
      id: (JSON.parse(text) as BatchObject).id,
      tenant,
      route,
      input,
      metadata: { route },
      creation,
    });
  }

  /** A command to one of the batches so far. That it comes too late or too early is an answer too. */
  async command(command: Command, pick: number): Promise<void> {
    const batch = this.submitted[pick % Math.max(1, this.submitted.length)];
    if (!batch) return;
    const client = this.client(batch.tenant);
    switch (command) {
      case 'repeat create':
        return this.repeatCreate(batch);
      case 'delete input':
        return this.deleteInput(batch);
      case 'retry':
        return this.retry(batch);
      case 'cancel':
      case 'pause':
      case 'resume': {
        const { status, text } = await client.ask(`/v1/batches/${batch.id}/${command}`, { method: 'POST' });
        if (status !== 200 && status !== 409) this.wrongs.push(`${command} of ${batch.id}: ${status} ${text}`);
      }
    }
  }

  async repeatCreate({ id, tenant, creation }: Submitted): Promise<void> {
    if (creation === null) return;
    const { key, path, body } = creation;
    const init = { method: 'POST', key, ...(body !== '' && { body: () => body }) };
    const { status, text } = await this.client(tenant).ask(path, init);
    const again = status === 200 ? (JSON.parse(text) as { id: string }).id : `${status} ${text}`;
    if (again !== id) this.wrongs.push(`I7: the create call of ${id}, repeated with its key, gives ${again}`);
  }

  /**
   * Takes the batches in which calls are answered, and those of evals, for batches of their tenants. `ofEvals`: only those,
   * as in the midst of a run another may be one whose client is just being told of it.
   */
  async adopt({ ofEvals = false } = {}): Promise<void> {
    const known = new Set(this.submitted.map(({ id }) => id));
    for (const [tenant, client] of this.clients.entries()) {
      const { data } = await client.json<{ data: BatchObject[] }>('/v1/batches?limit=100');
      for (const { id, input_file_id: fileId, metadata } of data) {
        if (known.has(id) || (ofEvals && metadata?.eval_run_id === undefined)) continue;
        const { text: input } = await client.ask(`/v1/files/${fileId}/content`);
        const route = metadata?.route as RouteName | typeof EVAL_TAG;
        this.submitted.push({ id, tenant, route, input, metadata: metadata ?? {}, creation: null });
      }
    }
  }

  private async deleteInput(batch: Submitted): Promise<void> {
    // Its lines would be known from their results alone.
    if (this.damaged.has(batch.id)) return;
    this.withoutInput.add(batch.id);
    const client = this.client(batch.tenant);
    const { input_file_id: fileId } = await client.json<BatchObject>(`/v1/batches/${batch.id}`);
    const { status, text } = await client.ask(`/v1/files/${fileId}`, { method: 'DELETE' });
    if (status !== 200 && status !== 404 && status !== 409) this.wrongs.push(`delete of ${fileId}: ${status} ${text}`);
  }

  private async retry(batch: Submitted): Promise<void> {
    const client = this.client(batch.tenant);
    const creation = { key: randomUUID(), path: `/v1/batches/${batch.id}/retry`, body: '' };
    const { status, text } = await client.ask(creation.path, { method: 'POST', key: creation.key });
    if (status === 200) {
      const made = JSON.parse(text) as BatchObject;
      const input = await client.ask(`/v1/files/${made.input_file_id}/content`);
      if (input.status === 200) this.submitted.push({ ...batch, id: made.id, input: input.text, creation });
    } else if (![400, 409, 410, 429].includes(status)) this.wrongs.push(`retry of ${batch.id}: ${status} ${text}`);
  }

  /** I8, from outside: what `/output` has once shown as a result stays, to the byte. */
  async look(pick: number): Promise<void> {
    const batch = this.submitted[pick % Math.max(1, this.submitted.length)];
    if (!batch) return;
    // A slow answer may be older than what another look has seen meanwhile.
    const before = new Map([...this.seen].filter(([key]) => key.startsWith(`${batch.id} `)));
    const { status, text } = await this.client(batch.tenant).ask(`/v1/batches/${batch.id}/output`);
    if (status !== 200) {
      this.wrongs.push(`output of ${batch.id}: ${status} ${text}`);
      return;
    }
    this.compare(batch.id, before, text);
  }

  private compare(id: string, seen: ReadonlyMap<string, string>, text: string): void {
    const now = new Map(
      text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as OutputLine)
        .map(({ custom_id, response, error }) => [`${id} ${custom_id}`, JSON.stringify({ response, error })]),
    );
    for (const [key, result] of now) {
      const before = seen.get(key);
      const isLost = this.damaged.has(id) && result.includes('"code":"result_lost"');
      if (before !== undefined && before !== result && !isLost)
        this.wrongs.push(`I8: the result of ${key} was ${before} and is ${result}`);
      this.seen.set(key, result);
    }
    if (this.damaged.has(id)) return;
    for (const key of seen.keys()) if (!now.has(key)) this.wrongs.push(`I8: the result of ${key} has gone`);
  }

  private input(count: number, route: RouteName, tenant: number): string {
    const file = this.files++;
    return Array.from({ length: count }, (_, index) => {
      const kept = keptLine(route, tenant, file, index);
      if (kept !== null) return `${JSON.stringify(kept)}\n`;
      const key = `line-${file}-${index}`;
      const messages = [{ role: 'user', content: `Say ${key}.` }];
      const body = { model: 'gpt-4o-mini', messages, max_tokens: 16, ...healedBody(route, index) };
      return `${JSON.stringify({ custom_id: key, method: 'POST', url: '/v1/chat/completions', body })}\n`;
    }).join('');
  }
}

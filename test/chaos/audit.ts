/** What must hold when a chaos run is over: I1–I9 from the outside, and against what the simulated providers counted. */
import assert from 'node:assert/strict';
import type { BatchObject } from '../../src/protocol/batch.ts';
import type { BudgetObject } from '../../src/protocol/budget.ts';
import type { LedgerEntryObject } from '../../src/protocol/ledger.ts';
import type { OutputLine } from '../../src/protocol/result-line.ts';
import { assertInvariants, readEntries } from '../e2e/invariants.ts';
import { type ServiceName, serviceNames } from '../e2e/native-services.ts';
import { ADMIN_KEY, connect } from '../e2e/weir.ts';
import type { Batches, Submitted } from './batches.ts';
import type { Calls } from './calls.ts';
import { Client } from './client.ts';
import { assertEvals } from './eval-audit.ts';
import type { Events } from './events.ts';
import { assertHealed, isHealed, retriesOf } from './healing.ts';
import { assertHitsAreFree, isHit, type KeptAnswers } from './kept-answers.ts';
import { isCall, isKept, isKeyed, keyIn } from './line-keys.ts';
import type { Clients, Troubles } from './troubles.ts';
import { untilRight } from './until-right.ts';
import type { World } from './world.ts';

const ENDED = ['completed', 'failed', 'expired', 'cancelled'];
/** With a database and its caches, what the largest batch of a run needs; a server at rest has about 170 MB. */
const MEMORY_MEGABYTES = 400;
/** An engine's thread has its own code, connections and garbage. */
const ENGINE_MEGABYTES = 60;

export async function audit(
  world: World,
  { batches, calls, keyed, parked, kept, evals, events }: Clients & { events: Events },
  troubles: Troubles,
): Promise<string[]> {
  const wrongs = [...batches.wrongs, ...world.servers.flatMap(({ deaths }) => deaths)];
  const check = async (what: string, assertion: () => unknown): Promise<void> => {
    try {
      await assertion();
    } catch (error) {
      wrongs.push(`${what}: ${(error as Error).message}`);
    }
  };
  await check('evals', () => evals.untilEnded());
  await check('batches', () => batches.adopt());
  await Promise.all(batches.submitted.map((batch) => check(batch.id, () => untilEnded(batches, batch))));
  await check('I5', () => untilTidy(world));
  if (wrongs.length > 0) await keepState(world);
  const entries: LedgerEntryObject[] = [];
  const lines = new Map<string, OutputLine[]>();
  for (const batch of batches.submitted) {
    await check(batch.id, async () => {
      const client = connect(world.servers[0]?.url ?? '', batches.client(batch.tenant).key);
      entries.push(...named(batch, await readEntries(client, batch.id)));
      const books = await assertInvariants(client, batch.id, batch.input);
      lines.set(batch.id, books.lines);
      if (isHealed(batch.route)) assertHealed(batch.input, books.lines, books.entries, troubles.interruptions);
      await batches.look(batches.submitted.indexOf(batch));
      await batches.repeatCreate(batch);
    });
  }
  await check('budgets', () => assertBudgets(world, batches, entries));
  await check('evals', () => assertEvals(evals, { batches, lines, entries }));
  await check('kept answers', () => kept.askAcrossKill((key) => receivedOf(world, key)));
  const ofKept: LedgerEntryObject[] = [];
  await check('kept answers', async () => ofKept.push(...(await kept.entries())));
  await check('I9, kept answers', () => kept.assertOwn(lines));
  await check('I3, kept answers', () => assertHitsAreFree([...entries, ...ofKept], batches.submitted));
  const paid = [...entries, ...ofKept].filter((entry) => !isHit(entry));
  await check('I3', () => assertCallsLedgered(world, paid, kept.lost));
  for (const name of serviceNames) await check(`I3, ${name}`, () => assertBatchesLedgered(world, name, paid));
  await keyed.finish();
  const ofCalls = await calls.untilEntered();
  await check('I3, calls', () => assertAnswersLedgered(world, calls, ofCalls));
  await check('I7, calls', () => keyed.assertOnce(ofCalls, troubles.interruptions));
  await check('I1, parked calls', () => parked.assertOnce(lines));
  await check('webhooks', () => events.assertTold(batches, evals, world.servers));
  await check('I6', () => assertMemory(world));
  const all = [...entries, ...ofKept, ...[...ofCalls.values()].flat()];
  await check('I8', () => assertSentAgain(world, troubles, { entries: all, asked: askedBy(batches) }));
  await check('I8, kept answers', () => assertKeptBought(world, kept, troubles));
  await check('I9', () => assertTenants(batches));
  return [...new Set([...wrongs, ...batches.wrongs])];
}

/** Entries by the name of what was asked, which is not the custom_id of a line that is a call. */
function named({ input }: Submitted, entries: readonly LedgerEntryObject[]): LedgerEntryObject[] {
  const asked = input.split('\n');
  return entries.map((entry) => ({
    ...entry,
    custom_id: keyIn(asked[(entry.line ?? 0) - 1] ?? '') ?? entry.custom_id,
  }));
}

/** Every batch ends. */
function untilEnded(batches: Batches, { id, tenant }: Submitted): Promise<void> {
  const client = batches.client(tenant);
  return untilRight(async () => {
    const { status, request_counts: counts, shards } = await client.json<BatchObject>(`/v1/batches/${id}`);
    if (ENDED.includes(status)) return [];
    // Whatever paused it: the run is over.
    await client.ask(`/v1/batches/${id}/resume`, { method: 'POST' });
    return [`I4: stays ${status} ${JSON.stringify({ counts, shards })}`];
  });
}

/** What the servers say of themselves, beside their logs: for whoever looks into what broke. */
async function keepState({ servers }: World): Promise<void> {
  for (const server of servers) {
    const admin = new Client([server], ADMIN_KEY);
    for (const path of ['/v1/providers', '/metrics'])
      server.keep(`--- ${path}\n${await admin.ask(path).then(({ text }) => text, String)}\n`);
  }
}

/** I5: nothing of ours runs or lies at a provider. */
function untilTidy({ services }: World): Promise<void> {
  return untilRight(() => {
    const left = services.left();
    const isTidy = serviceNames.every((name) => left[name].live === 0 && left[name].files === 0);
    return isTidy ? [] : [`left at providers: ${JSON.stringify(left)}`];
  });
}

/** I3: every call that a pool received is an entry of its line, but for synchronous ones that were `lost`; those that are certain were received. */
function assertCallsLedgered(
  { pools }: World,
  entries: readonly LedgerEntryObject[],
  lost: ReadonlyMap<string, number>,
): void {
  const ours = new Set(pools.map((_, index) => `pool-${index}`));
  const entered = new Map<string, { all: number; certain: number }>();
  for (const { custom_id: key, provider, status } of entries) {
    if (key === null || provider === null || !ours.has(provider)) continue;
    const count = entered.get(key) ?? { all: 0, certain: 0 };
    count.all += 1;
    if (status !== 'unknown') count.certain += 1;
    entered.set(key, count);
  }
  const received = new Map<string, number>();
  for (const { counters } of pools)
    for (const [key, count] of counters.by_custom) received.set(key, (received.get(key) ?? 0) + count);
  const missing = [...received].filter(
    ([key, count]) => !isCall(key) && (entered.get(key)?.all ?? 0) + (lost.get(key) ?? 0) < count,
  );
  const invented = [...entered].filter(([key, { certain }]) => certain > (received.get(key) ?? 0));
  const shown = (keys: readonly [string, unknown][]) =>
    keys
      .slice(0, 5)
      .map(([key]) => `${key}: received ${received.get(key) ?? 0}, entered ${JSON.stringify(entered.get(key))}`);
  assert.equal(missing.length, 0, `calls without an entry, ${missing.length} lines: ${shown(missing).join('; ')}`);
  assert.equal(invented.length, 0, `entries without a call, ${invented.length} lines: ${shown(invented).join('; ')}`);
}

/** I3: every answer that a service's batch came to, and billed, is an entry of its line; those that are certain were answered. */
function assertBatchesLedgered({ services }: World, service: ServiceName, entries: readonly LedgerEntryObject[]): void {
  const answered = services.answered()[service];
  const own = Map.groupBy(
    entries.filter(({ provider }) => provider === service),
    ({ custom_id: key }) => key ?? '',
  );
  const wrongs: string[] = [];
  for (const key of new Set([...answered.keys(), ...own.keys()])) {
    const billed = answered.get(key) ?? 0;
    const all = own.get(key) ?? [];
    const certain = all.filter(({ status }) => status === 'succeeded' || status === 'superseded').length;
    if (all.length < billed || certain > billed)
      wrongs.push(`${key}: ${billed} answered, entered ${all.map(({ status }) => status)}`);
  }
  assert.equal(wrongs.length, 0, `${wrongs.length} lines: ${wrongs.slice(0, 5).join('; ')}`);
}

/** What a budget has spent is the sum of its batches' entries, within its limit; nothing is held for batches that have ended. */
function assertBudgets(
  { servers, plan }: World,
  { submitted }: Batches,
  entries: readonly LedgerEntryObject[],
): Promise<void> {
  const admin = new Client(servers, ADMIN_KEY);
  const routes = new Map(submitted.map(({ id, route }) => [id, route]));
  return untilRight(async () => {
    const { data } = await admin.json<{ data: BudgetObject[] }>('/v1/budgets');
    return data.flatMap(({ name, usage, limit_nano_usd: limit }) => {
      const own = entries.filter(({ batch_id: id }) => id !== null && routes.get(id) === name);
      const amounts = own.map((entry) => Number(entry.amount_nano_usd ?? 0));
      const sum = amounts.reduce((total, amount) => total + amount, 0);
      const { spent_nano_usd: spent, held_nano_usd: held } = usage;
      const isRight = spent === sum && held === 0 && spent <= limit + plan.servers * Math.max(0, ...amounts);
      return isRight ? [] : [`${name}: spent ${spent} of ${limit}, entered ${sum}, held ${held}`];
    });
  });
}

/** I3: what was answered has an entry, once; nothing is entered that was not received, or twice. */
function assertAnswersLedgered(
  { pools }: World,
  calls: Calls,
  entries: ReadonlyMap<string, LedgerEntryObject[]>,
): void {
  for (const [key, ids] of Map.groupBy(entries.keys(), (id) => keyIn(id) ?? id)) {
    const received = pools.reduce((sum, { counters }) => sum + (counters.by_custom.get(key) ?? 0), 0);
    const certain = ids.flatMap((id) => entries.get(id) ?? []).filter(({ status }) => status !== 'unknown').length;
    assert(certain <= received, `${key}: ${received} received, ${certain} entered`);
  }
  for (const [key, own] of entries) {
    assert.equal(new Set(own.map(({ attempt }) => attempt)).size, own.length, `${key}: an attempt is entered twice`);
  }
  for (const key of calls.answered) {
    const own = entries.get(key) ?? [];
    const good = own.filter(({ status }) => status === 'succeeded').length;
    // An answer that was not taken, where none came after it.
    const isKept = own.some(({ status }) => status === 'superseded');
    assert(good === 1 || (good === 0 && isKept), `${key} was answered and has ${good} entries that say so`);
  }
}

async function assertMemory({ servers, plan }: World): Promise<void> {
  const most = MEMORY_MEGABYTES + ENGINE_MEGABYTES * (plan.settings.engine_threads ?? 0);
  for (const server of servers) {
    await server.measure();
    assert(server.peakMegabytes <= most, `${server.name} took ${server.peakMegabytes} MB`);
  }
}

/** I8: a good answer that is bought again, or a call that is cut off, is one that was under way when its lease ended. */
function assertSentAgain(
  { plan, pools }: World,
  { interruptions }: Troubles,
  { entries, asked }: { entries: readonly LedgerEntryObject[]; asked: ReadonlyMap<string, number> },
): void {
  const underWay = plan.servers * (pools.length * plan.concurrency + 2 * (plan.settings.part_lines ?? 0));
  let again = 0;
  const answered = new Map<string, number>();
  for (const { counters } of pools) {
    again += counters.client_aborts;
    for (const [key, count] of counters.answered_by_custom) answered.set(key, (answered.get(key) ?? 0) + count);
  }
  const retries = retriesOf(entries);
  for (const [key, count] of answered) {
    if (isKeyed(key) || isKept(key)) continue;
    again += Math.max(0, count - (asked.get(key) ?? 1) - (retries.get(key) ?? 0));
  }
  // A call that was given up, by its own time or by its client, is known to have been.
  const givenUp = entries.filter(({ status, error_code: code }) => status === 'unknown' && code !== null).length;
  assert(
    again <= interruptions * underWay + givenUp,
    `${again} calls were sent again, after ${interruptions} interruptions`,
  );
}

/** How many lines ask each key, but for those that a retry asks again. */
function askedBy({ submitted }: Batches): Map<string, number> {
  const asked = new Map<string, number>();
  for (const { input, creation } of submitted) {
    if (creation?.path.endsWith('/retry') === true) continue;
    for (const key of input.split('\n').map(keyIn)) if (key !== undefined) asked.set(key, (asked.get(key) ?? 0) + 1);
  }
  return asked;
}

/** I8: a question whose answer is kept is bought again only where it was not yet kept, or could not be. */
function assertKeptBought({ plan, pools }: World, kept: KeptAnswers, { interruptions }: Troubles): void {
  for (const { counters } of pools) {
    for (const [key, count] of counters.answered_by_custom) {
      if (!isKept(key)) continue;
      const most = kept.mostBought(key, plan.servers, interruptions);
      assert(count <= most, `${key} was bought ${count} times of one pool, after ${interruptions} interruptions`);
    }
  }
}

function receivedOf({ pools }: World, key: string): number {
  return pools.reduce((sum, { counters }) => sum + (counters.by_custom.get(key) ?? 0), 0);
}

/** I9: each tenant lists its own batches and no others, and another's is not there for it. */
async function assertTenants(batches: Batches): Promise<void> {
  for (const [tenant, client] of batches.clients.entries()) {
    const own = new Set(batches.submitted.filter((batch) => batch.tenant === tenant).map(({ id }) => id));
    const foreign = batches.submitted.find((batch) => batch.tenant !== tenant);
    const page = await client.json<{ data: { id: string }[] }>('/v1/batches?limit=100');
    const strangers = page.data.filter(({ id }) => batches.submitted.some((batch) => batch.id === id) && !own.has(id));
    assert.deepEqual(strangers, []);
    assert.equal(new Set(page.data.map(({ id }) => id)).size, own.size, 'lists its batches, each once');
    if (foreign) assert.equal((await client.ask(`/v1/batches/${foreign.id}`)).status, 404);
  }
}

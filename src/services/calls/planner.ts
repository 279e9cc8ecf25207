import type { Lane } from '../../core/lane.ts';
import { needsModelLists } from '../../core/model-names.ts';
import { routeLeavesProviderOpen } from '../../core/route-steps.ts';
import { createLaneAssigner, type LaneAssigner } from '../../core/routing.ts';
import type { Soon } from '../../core/soon.ts';
import type { Actor } from '../../ports/deps.ts';
import { type ResolveDeps, resolveFor, routesOf } from '../models/resolve.ts';
import { resolveRoute } from '../routes/resolve.ts';
import type { Call } from './read-call.ts';

/** How long another process's change of a route may go unnoticed here. */
const FRESH_MS = 3_000;
const TENANTS_MAX = 1_000;
const PLANS_MAX = 1_000;
/** Conditions over many values make lanes without end; their division begins anew then. */
const LANES_MAX = 500;

type Purpose = 'send' | 'check';

/** What a key is made of, and the key. */
interface LastKey extends Pick<Call, 'model' | 'config'> {
  endpoint: Call['request']['endpoint'] | null;
  purpose: Purpose;
  key: string;
}

interface Plan {
  assigner: LaneAssigner;
  /** Where providers' model lists say what names mean, they are asked again after this. Unix milliseconds. */
  freshUntil: number;
}

interface Tenant {
  /** The routes that the plans were made of. */
  version: string;
  freshUntil: number;
  plans: Map<string, Plan>;
  /** Plans that are being made. */
  making: Map<string, Promise<Plan>>;
}

/**
 * Where single calls go. What routes and names mean is worked out once and kept as long as they stay the same: weights
 * divide calls exactly only if they are counted on from call to call.
 */
export class CallPlanner {
  private readonly deps: ResolveDeps;
  private readonly tenants = new Map<string, Tenant>();
  private readonly refreshing = new Map<string, Promise<Tenant>>();
  private last: LastKey = { model: '', config: null, endpoint: null, purpose: 'check', key: '' };

  constructor(deps: ResolveDeps) {
    this.deps = deps;
  }

  /** The call's targets in order. Throws 400 for a route that it names and that is not there. */
  plan(actor: Actor, call: Call, purpose: Purpose): Soon<Lane> {
    const now = this.deps.clock.now();
    const tenant = this.tenants.get(actor.tenantId);
    const key = this.keyOf(call, purpose);
    const known = tenant !== undefined && tenant.freshUntil > now ? tenant.plans.get(key) : undefined;
    if (tenant !== undefined && known !== undefined && known.freshUntil > now) {
      return this.assign(tenant, known, key, call);
    }
    return this.planAnew(actor, call, key, now);
  }

  /** By what a plan is known. Mostly it is the last call's again, whose text need not be made anew. */
  private keyOf({ config, model, request: { endpoint } }: Call, purpose: Purpose): string {
    const { last } = this;
    if (last.model !== model || last.config !== config || last.endpoint !== endpoint || last.purpose !== purpose) {
      const route = config === null || typeof config === 'string' ? config : JSON.stringify(config);
      // A check must not take the turn of a call that is sent.
      const key = `${purpose} ${endpoint} ${JSON.stringify(route)} ${model}`;
      this.last = { model, config, endpoint, purpose, key };
    }
    return this.last.key;
  }

  private async planAnew(actor: Actor, call: Call, key: string, now: number): Promise<Lane> {
    const tenant = this.tenants.get(actor.tenantId);
    const fresh = tenant !== undefined && tenant.freshUntil > now ? tenant : await this.refresh(actor.tenantId, now);
    const known = fresh.plans.get(key);
    const plan = known !== undefined && known.freshUntil > now ? known : await this.renew(fresh, key, actor, call, now);
    return this.assign(fresh, plan, key, call);
  }

  private assign(tenant: Tenant, plan: Plan, key: string, call: Call): Lane {
    const { request, model, bytes, metadata } = call;
    const body = plan.assigner.needsBody(model) ? request.body : undefined;
    const line = { model, endpoint: request.endpoint, bytes, body, metadata };
    const lane = plan.assigner.lanes[plan.assigner.assign(line)];
    if (lane === undefined) throw new Error('a call was given no lane');
    // A name that means nothing now may mean something as soon as its provider answers.
    if (lane.kind === 'refuse' || plan.assigner.lanes.length > LANES_MAX) tenant.plans.delete(key);
    return lane;
  }

  /** Makes a change of a tenant's routes take effect at once in this process. */
  forget(tenantId: string): void {
    this.refreshing.delete(tenantId);
    const tenant = this.tenants.get(tenantId);
    if (tenant !== undefined) tenant.freshUntil = 0;
  }

  /** Calls that come side by side share a plan from the first: each with its own would take the same turn. */
  private renew(tenant: Tenant, key: string, actor: Actor, call: Call, now: number): Promise<Plan> {
    const begun = tenant.making.get(key);
    if (begun !== undefined) return begun;
    const making = this.make(actor, call, now)
      .then((plan) => {
        tenant.plans.delete(key);
        tenant.plans.set(key, plan);
        trim(tenant.plans, PLANS_MAX);
        return plan;
      })
      .finally(() => tenant.making.delete(key));
    tenant.making.set(key, making);
    return making;
  }

  private refresh(tenantId: string, now: number): Promise<Tenant> {
    const begun = this.refreshing.get(tenantId);
    if (begun !== undefined) return begun;
    const refreshing = this.read(tenantId, now).finally(() => this.refreshing.delete(tenantId));
    this.refreshing.set(tenantId, refreshing);
    return refreshing;
  }

  private async read(tenantId: string, now: number): Promise<Tenant> {
    const version = JSON.stringify([...(await routesOf(this.deps, tenantId))]);
    const known = this.tenants.get(tenantId);
    const kept = known?.version === version ? known : { plans: new Map<string, Plan>(), making: new Map() };
    const tenant: Tenant = { version, freshUntil: now + FRESH_MS, plans: kept.plans, making: kept.making };
    this.tenants.delete(tenantId);
    this.tenants.set(tenantId, tenant);
    trim(this.tenants, TENANTS_MAX);
    return tenant;
  }

  private async make(actor: Actor, call: Call, now: number): Promise<Plan> {
    const { tenantId } = actor;
    const { model } = call;
    const route = call.config === null ? null : (await resolveRoute(this.deps, actor, call.config)).route;
    const options = await resolveFor(this.deps, { tenantId, batchRoute: route, metadata: null, models: [model] });
    const named = route ?? (await routesOf(this.deps, tenantId)).get(model) ?? null;
    const open =
      named === null ? needsModelLists(model, new Set(), this.deps.providers) : routeLeavesProviderOpen(named);
    const freshUntil = open ? now + this.deps.settings.modelListSeconds * 1000 : Number.POSITIVE_INFINITY;
    return { assigner: createLaneAssigner(options), freshUntil };
  }
}

function trim<Value>(map: Map<string, Value>, most: number): void {
  if (map.size > most) map.delete(map.keys().next().value ?? '');
}

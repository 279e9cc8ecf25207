import type { Provider, Result } from '../../../providers/contract.ts';
import type { Verdict } from '../../core/healing.ts';
import type { Candidate } from '../../core/lane.ts';
import type { Usage } from '../../core/usage.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Actor, Deps } from '../../ports/deps.ts';
import type { LedgerEntryRow } from '../../ports/store-ledger.ts';
import { cachedEntry } from '../cache/cached-entry.ts';
import { priceAttempt, withVerdict } from '../ledger/price-attempt.ts';
import type { EntryWriter } from './entry-writer.ts';
import type { Call } from './read-call.ts';

/** How one attempt ended. */
export interface EndedAttempt {
  candidate: Candidate;
  provider: Provider;
  /** null when nobody knows how it ended. */
  result: Result | null;
  latencyMs: number;
  gpuMicroseconds: number | null;
  /** It decided the call. */
  final: boolean;
}

/** What was delivered of an answer that broke off. */
export interface BrokenOff {
  /** As reported before the end, else estimated from what passed. */
  usage: Usage;
  rawUsage: object | null;
  servedModel: string | null;
  serviceTier: string | null;
  errorCode: string;
}

/** The ledger's view of one call: an entry for each attempt that reached a provider. */
export class CallAccount {
  attempts = 0;
  /** Input and output of all attempts, as far as it is known. */
  usedTokens = 0;
  private readonly deps: Pick<Deps, 'prices' | 'ownPrices' | 'clock'>;
  private readonly actor: Actor;
  private readonly call: Call;
  private readonly route: string | null;
  private readonly writer: EntryWriter;
  private knownNano = 0;
  private unpriced = false;

  /** `route`: the name of the route that the call goes by. */
  constructor(
    deps: Pick<Deps, 'prices' | 'ownPrices' | 'clock'>,
    { actor, call, route }: { actor: Actor; call: Call; route: string | null },
    writer: EntryWriter,
  ) {
    this.deps = deps;
    this.actor = actor;
    this.call = call;
    this.route = route;
    this.writer = writer;
  }

  /** What all attempts came to, in nano-USD; null while some amount is unknown. */
  get costNano(): number | null {
    return this.unpriced ? null : this.knownNano;
  }

  /** Enters an attempt that reached its provider, as its answer was judged. Resolves when it is durable. */
  enter(attempt: EndedAttempt, verdict: Verdict = { do: 'take', warning: null }): Promise<void> {
    return this.write(withVerdict(this.price(attempt), verdict));
  }

  /**
   * Enters an answer that broke off after a part of it was delivered. It was billed, for as much as was generated:
   * how the provider counts that is not known, so the amount is marked `estimated`.
   */
  enterBrokenOff(attempt: Omit<EndedAttempt, 'result' | 'final'>, broken: BrokenOff): Promise<void> {
    const { usage, rawUsage, servedModel, serviceTier } = broken;
    const delivered = { ok: true, status: 200, requestId: null, body: '', finishReason: null, warnings: [] } as const;
    const result: Result = { ...delivered, warnings: [], usage, rawUsage, servedModel, serviceTier };
    const entry = this.price({ ...attempt, result, final: true });
    return this.write({ ...entry, status: 'unknown', errorCode: broken.errorCode, estimated: true });
  }

  /** Enters an answer from the cache, as it was judged; `result` is what its provider once said. */
  enterCached(
    answered: Pick<EndedAttempt, 'candidate' | 'provider' | 'result'>,
    verdict: Verdict = { do: 'take', warning: null },
  ): Promise<void> {
    const final = verdict.do !== 'retry';
    const entry = this.price({ ...answered, latencyMs: 0, gpuMicroseconds: null, final });
    return this.write(cachedEntry(withVerdict(entry, verdict)));
  }

  private price(attempt: EndedAttempt): LedgerEntryRow {
    this.attempts += 1;
    return priceAttempt(this.deps, {
      ...attempt,
      tenantId: this.actor.tenantId,
      keyId: this.actor.keyId,
      batchId: null,
      customId: this.call.request.customId,
      line: null,
      attempt: this.attempts,
      mode: 'sync',
      tags: this.call.metadata,
      route: this.route,
      at: unixSeconds(this.deps.clock),
      latencyMs: Math.round(attempt.latencyMs),
    });
  }

  private write(entry: LedgerEntryRow): Promise<void> {
    if (entry.amountNano === null) this.unpriced = true;
    else this.knownNano += entry.amountNano;
    this.usedTokens += entry.inputTokens + entry.outputTokens;
    return this.writer.add([entry]);
  }
}

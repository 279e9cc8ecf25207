import type { Provider } from '../../providers/contract.ts';
import type { IdPrefix } from '../core/ids.ts';
import type { OwnPriceBook } from '../core/own-price.ts';
import type { PriceBook } from '../core/price-book.ts';
import type { KeyRole } from '../protocol/key.ts';
import type { AnswerCache } from './answer-cache.ts';
import type { Assets } from './assets.ts';
import type { Clock } from './clock.ts';
import type { Common } from './common.ts';
import type { FileStore } from './files.ts';
import type { Gates } from './gates.ts';
import type { HttpClient } from './http-client.ts';
import type { InFlight } from './in-flight.ts';
import type { InputChecks } from './input-checks.ts';
import type { Journals } from './journal.ts';
import type { KeyLimiter } from './key-limiter.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import type { Random } from './random.ts';
import type { Settings } from './settings.ts';
import type { Store } from './store.ts';
import type { Scope } from './store-query.ts';
import type { Tokenizers } from './tokenizers.ts';
import type { WebhookSender } from './webhook-sender.ts';

/** What every service gets; made once, in src/runtime. */
export interface Deps {
  store: Store;
  files: FileStore;
  /** Where entries of calls are safe before the database has them; absent where there is no disk. */
  journals?: Journals;
  http: HttpClient;
  /** The platform's own, for what streams to provider batches and from them. */
  fetch: typeof fetch;
  /** To where tenants want to be told of events. */
  webhookSender: WebhookSender;
  clock: Clock;
  random: Random;
  log: Log;
  settings: Settings;
  /** By the operator's name. */
  providers: ReadonlyMap<string, Provider>;
  /** The way to each provider that takes single requests. */
  gates: Gates;
  /** Routes of the config file: name → routing config, already validated. */
  configRoutes: ReadonlyMap<string, unknown>;
  /** What the engines of this server share; absent where there is one, in this thread. */
  common?: Common;
  /** What of batches is at providers now; absent where nobody looks at it. */
  inFlight?: InFlight;
  /** What API keys may use. */
  limiter: KeyLimiter;
  /** Answers that routes allow to be given again. */
  answers: AnswerCache;
  /** Lists and what administrators stated; taken in anew when they state more (services/prices/refresh.ts). */
  prices: PriceBook;
  /** The price files that come with Weir: what the book starts from. */
  priceFiles?: readonly unknown[];
  /** The operator's own prices, by provider name; they come before the price book. */
  ownPrices: ReadonlyMap<string, OwnPriceBook>;
  /** Says that there may be background work; losing a nudge only delays. `batches`: no more than to begin or end some. */
  nudge(about?: 'batches'): void;
  /** Lower-case hex SHA-256 of the operator's own admin key (WEIR_ADMIN_KEY). */
  adminKeyHash?: string | null;
  /** Shared by everything that measures; the HTTP app makes its own when there is none. */
  metrics?: Metrics;
  /** Real tokenizers, where there is room for them; without, a token counts as four bytes. */
  tokenizers?: Tokenizers;
  /** Where the lines of uploads are checked; in the caller's thread when absent. */
  inputChecks?: InputChecks;
  /** Static files for /docs; without them a plain page is served. */
  assets?: Assets;
}

/** Who asks. */
export interface Actor {
  tenantId: string;
  keyId: string | null;
  role: KeyRole;
}

/** One call of a service. */
export interface Context {
  actor: Actor;
  /** A fresh unguessable id; under an Idempotency-Key the same call makes the same ids again. */
  newId(prefix: IdPrefix): string;
  /** Set where an earlier run of the same call, whose answer is not known, may have done it all. */
  repeats?: boolean;
  signal: AbortSignal;
}

/** Where the actor may look an id up: administrators everywhere, others in their own tenant. */
export function scopeOf(actor: Actor): Scope {
  return actor.role === 'admin' ? 'all' : { tenantId: actor.tenantId };
}

/** What can be done in a chaos run, and with what. */
import type { ServiceName } from '../e2e/native-services.ts';

export const POOLS = 3;
export const TENANTS = 3;

export type Action =
  | { do: 'submit'; tenant: number; lines: number; route: RouteName; window: string }
  | { do: 'call'; tenant: number; server: number; route: RouteName; stream: boolean }
  | { do: 'keyed call'; tenant: number; route: RouteName; patienceMs: number; twins: number }
  /** `patienceMs`: as long as it takes, when null. */
  | { do: 'parked call'; tenant: number; route: 'pools' | 'native'; patienceMs: number | null }
  | { do: 'kept call'; tenant: number; server: number; question: number; stream: boolean; cache: CacheUse }
  | { do: 'eval'; tenant: number; rows: number; routes: EvalRoute[]; isJudged: boolean; isFile: boolean }
  | { do: 'cancel eval'; pick: number }
  /** The batches of evals are commanded from then on, as others are. */
  | { do: 'see batches of evals' }
  | { do: 'command'; command: Command; pick: number }
  | { do: 'kill' | 'terminate'; server: number; downMs: number }
  | { do: 'freeze'; server: number; forMs: number }
  | { do: 'clock'; server: number; jumpMs: number }
  | { do: 'slow disk'; server: number; delayMs: number; forMs: number }
  | { do: 'full disk'; forMs: number }
  | { do: 'failing reads'; server: number; forMs: number }
  | { do: 'failing syncs'; server: number; count: number }
  | { do: 'damage results'; how: Damage; pick: number }
  | { do: 'lock database' | 'freeze database' | 'restart database'; forMs: number }
  | { do: 'pool trouble'; pool: number; trouble: PoolTrouble; forMs: number }
  | { do: 'pool crash'; pool: number; forMs: number }
  | { do: 'service trouble'; service: ServiceName; trouble: ServiceTrouble; forMs: number };

/** What becomes of a file of results: it is gone, cut short, its last block was never written, or some bytes are others. */
export type Damage = (typeof DAMAGES)[number];
export type Command = (typeof COMMANDS)[number];
export type RouteName = (typeof ALL_ROUTES)[number];
/** What a call says of the answers that are kept: 'use' is what holds where it says nothing. */
export type CacheUse = 'use' | 'refresh' | 'off';
export type EvalRoute = (typeof EVAL_ROUTES)[number];
export type PoolTrouble = (typeof POOL_TROUBLES)[number];
export type ServiceTrouble = (typeof SERVICE_TROUBLES)[number];

export const COMMANDS = [
  'cancel',
  'pause',
  'pause',
  'resume',
  'resume',
  'retry',
  'delete input',
  'repeat create',
] as const;
export const DAMAGES = ['delete', 'cut', 'blank end', 'change'] as const;
export const ROUTES = ['pools', 'pools', 'capacity', 'chain', 'native', 'native', 'mixed', 'rescued'] as const;
/** Whose answers may not serve, and are then asked for again. */
export const HEALED_ROUTES = ['healed', 'healed-native'] as const;
/** Whose answers are given again. */
export const KEPT_ROUTES = ['kept', 'kept-native'] as const;
/** What the targets of evals go by. */
export const EVAL_ROUTES = ['pools', 'capacity', 'chain', 'native', 'mixed'] as const;
export const ALL_ROUTES = [...new Set(ROUTES), ...HEALED_ROUTES, ...KEPT_ROUTES] as const;
/** Whose lines go to batch services. */
export const NATIVE_ROUTES: ReadonlySet<RouteName> = new Set<RouteName>([
  'native',
  'mixed',
  'rescued',
  'healed-native',
  'kept-native',
]);
/** Of the batches that evals make. */
export const EVAL_TAG = 'evals';
export const CALL_ROUTES = ['pools', 'capacity', 'chain'] as const;
export const POOL_TROUBLES = ['errors', 'throttle', 'cut', 'hang', 'slow', 'few slots', 'nonsense'] as const;
export const SERVICE_TROUBLES = ['refuse', 'lose answers', 'nonsense', 'crash', 'slow jobs', 'bad downloads'] as const;

export interface Step {
  /** Milliseconds after the start. */
  at: number;
  action: Action;
}

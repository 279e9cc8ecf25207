/** What goes between the main thread and the threads of the engines. */
import type { MessagePort } from 'node:worker_threads';
import type { GateFigures } from '../../ports/gates.ts';
import type { BusyTime } from '../../ports/in-flight.ts';
import type { Log } from '../../ports/log.ts';
import type { DatabaseThread } from '../../store/open-node.ts';
import type { Environment } from '../env.ts';
import type { CommonMemory } from './common.ts';

/** What an engine's thread starts with. */
export interface EngineThreadData {
  environment: Environment;
  /** The config, as the main thread read it. */
  configText: string;
  seat: number;
  common: CommonMemory;
  /** What the steady clock of the main thread shows beyond the process's, in microseconds. */
  steadyOffset: number;
  /** The part of the bounds that is this server's. */
  share: number;
  compileCache: string | undefined;
}

export type ToEngine =
  /** There may be work; with `renew`, batches may have been stopped; with `prices`, others have been stated. */
  | { do: 'wake'; renew: boolean; prices: boolean }
  /** It has the turn that it asked for. */
  | { do: 'turn'; key: string }
  /** Slots have become free. */
  | { do: 'pump' }
  | { do: 'share'; share: number }
  | { do: 'stop' };

export type FromEngine =
  /** Under this token it holds leases from now on. */
  | { tell: 'ready'; token: string }
  | { tell: 'nudge'; about?: 'batches' | undefined }
  /** Another engine's slots have become free. */
  | { tell: 'pump'; seat: number }
  | { tell: 'turn'; key: string; change: 'ask' | 'over' }
  | { tell: 'log'; level: keyof Log; fields: object; message: string }
  | { tell: 'database'; thread: DatabaseThread; port: MessagePort }
  | { tell: 'report'; report: EngineReport };

/** How an engine stands. */
export interface EngineReport {
  /** By provider. */
  figures: Record<string, GateFigures>;
  /** Lines that wait to be sent again. */
  waiting: { provider: string; waiting: number }[];
  inFlight: { batchId: string; targets: [string, number][]; busy: readonly BusyTime[] }[];
}

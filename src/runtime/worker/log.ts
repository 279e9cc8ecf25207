import type { Log } from '../../ports/log.ts';
import type { LOG_LEVELS } from '../settings.ts';

type Level = (typeof LOG_LEVELS)[number];

const RANKS: Record<Level, number> = { trace: 10, debug: 20, info: 30, warn: 40, error: 50, fatal: 60, silent: 100 };

/** One JSON object a line through the console, which is where Workers Logs and `wrangler tail` read from. */
export function consoleLog(level: Level): Log {
  const write =
    (own: 'debug' | 'info' | 'warn' | 'error') =>
    (fields: object, message: string): void => {
      if (RANKS[own] >= RANKS[level]) console[own](JSON.stringify({ level: own, msg: message, ...fields }, readable));
    };
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}

/** Errors have nothing that JSON would show. */
function readable(_key: string, value: unknown): unknown {
  return value instanceof Error ? (value.stack ?? `${value.name}: ${value.message}`) : value;
}

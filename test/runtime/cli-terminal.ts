/** A terminal that remembers: what a command wrote where, and a Ctrl-C on request. */
import { Buffer } from 'node:buffer';
import { main } from '../../src/runtime/cli/main.ts';
import { choosePaint } from '../../src/runtime/cli/paint.ts';
import type { Screen, Terminal } from '../../src/runtime/cli/terminal.ts';

export interface RecordedTerminal extends Terminal {
  /** Everything written to the results, as text. */
  readonly outText: string;
  /** Everything written to the notes, as text. */
  readonly notesText: string;
  interrupt(): void;
}

export interface TerminalOptions {
  environment?: Record<string, string>;
  isTty?: boolean;
  columns?: number;
  /** Called with every text written to the notes. */
  onNote?(text: string): void;
}

export function recordTerminal(options: TerminalOptions = {}): RecordedTerminal {
  const environment = options.environment ?? {};
  const written = { out: [] as Buffer[], notes: [] as Buffer[] };
  const listeners = new Set<() => void>();
  const screen = (stream: 'out' | 'notes'): Screen => ({
    isTty: options.isTty === true,
    columns: options.columns ?? 80,
    paint: choosePaint(options.isTty === true, environment),
    async write(chunk) {
      written[stream].push(Buffer.from(chunk as string));
      if (stream === 'notes') options.onNote?.(String(chunk));
    },
  });
  return {
    environment,
    out: screen('out'),
    notes: screen('notes'),
    onInterrupt(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    now: () => performance.now(),
    get outText() {
      return Buffer.concat(written.out).toString('utf8');
    },
    get notesText() {
      return Buffer.concat(written.notes).toString('utf8');
    },
    interrupt() {
      for (const listener of listeners) listener();
    },
  };
}

export interface Ran {
  exitCode: number;
  out: string;
  notes: string;
}

/** Runs one command line in this process. */
export async function runCli(argv: readonly string[], options: TerminalOptions = {}): Promise<Ran> {
  const terminal = recordTerminal(options);
  const exitCode = await main(argv, terminal);
  return { exitCode, out: terminal.outText, notes: terminal.notesText };
}

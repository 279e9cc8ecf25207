import type { WriteStream } from 'node:tty';
import { type Environment, processEnvironment } from '../env.ts';
import { EXIT } from './exit.ts';
import { choosePaint, type Paint } from './paint.ts';
import { printableJson } from './printable.ts';

/** One of the two streams that a command writes to. */
export interface Screen {
  /** Resolves when the reader wants more: a slow reader slows the command, not its memory. */
  write(chunk: string | Uint8Array): Promise<void>;
  isTty: boolean;
  columns: number;
  paint: Paint;
}

/** Everything a command sees of the outside, apart from the server: results go to `out`, the rest to `notes`. */
export interface Terminal {
  environment: Environment;
  out: Screen;
  notes: Screen;
  /** Calls `listener` at each Ctrl-C (or TERM), in place of the process's end. The returned function undoes it. */
  onInterrupt(listener: () => void): () => void;
  /** Milliseconds that only go forward. */
  now(): number;
}

/** A signal that Ctrl-C aborts, in place of ending the process, until `end` is called. */
interface Interrupt {
  signal: AbortSignal;
  end(): void;
}

/** Takes Ctrl-C over: from now on it aborts the signal of what this answers. */
export function interruptOf(terminal: Pick<Terminal, 'onInterrupt'>): Interrupt {
  const leaving = new AbortController();
  return { signal: leaving.signal, end: terminal.onInterrupt(() => leaving.abort()) };
}

/** Tables and bars never need more columns than a narrow terminal has. */
export const COLUMNS = 80;

/** The terminal of this process. */
export function processTerminal(): Terminal {
  const environment = processEnvironment();
  return {
    environment,
    out: screenOf(process.stdout, environment),
    notes: screenOf(process.stderr, environment),
    onInterrupt(listener) {
      process.on('SIGINT', listener);
      process.on('SIGTERM', listener);
      return () => {
        process.off('SIGINT', listener);
        process.off('SIGTERM', listener);
      };
    },
    now: () => performance.now(),
  };
}

function screenOf(stream: WriteStream, environment: Environment): Screen {
  // `weir output ID | head`: the reader has enough, which is no failure of ours.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? EXIT.done : EXIT.trouble);
  });
  const isTty = stream.isTTY === true;
  return {
    isTty,
    get columns() {
      return isTty && stream.columns > 0 ? stream.columns : COLUMNS;
    },
    paint: choosePaint(isTty, environment),
    write: (chunk) =>
      new Promise((resolve) => {
        if (stream.write(chunk)) resolve();
        else stream.once('drain', resolve);
      }),
  };
}

/** Writes one line to the notes. */
export function note(terminal: Terminal, text: string): Promise<void> {
  return terminal.notes.write(`${text}\n`);
}

/** Writes one line to the results. */
export function print(terminal: Terminal, text: string): Promise<void> {
  return terminal.out.write(`${text}\n`);
}

/** Bytes as they are into files and pipes; nothing that a terminal obeys onto a terminal. */
export function terminalSafe(terminal: Terminal): (chunk: Uint8Array) => Promise<void> {
  if (!terminal.out.isTty) return (chunk) => terminal.out.write(chunk);
  const decoder = new TextDecoder();
  return (chunk) => terminal.out.write(printableJson(decoder.decode(chunk, { stream: true })));
}

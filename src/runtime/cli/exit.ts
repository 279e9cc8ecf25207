/** What the process says when it ends. 130 is the shells' word for "interrupted". */
export const EXIT = { done: 0, failedLines: 1, wrongUse: 2, trouble: 3, interrupted: 130 } as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export interface ErrorDetails {
  type: string;
  code: string | null;
  param: string | null;
}

/** Anything that ends a command early. The message is for people: what is wrong and what to do. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: ExitCode;
  readonly details: ErrorDetails;

  constructor(exitCode: ExitCode, message: string, details: Partial<ErrorDetails> = {}) {
    super(message);
    this.exitCode = exitCode;
    this.details = { type: 'cli_error', code: null, param: null, ...details };
  }
}

/** The command was called in a way that cannot work. */
export function wrongUse(message: string, param: string | null = null): CliError {
  return new CliError(EXIT.wrongUse, message, { type: 'wrong_use', param });
}

/** The server, a provider or this machine does not do its part. */
export function trouble(message: string, details: Partial<ErrorDetails> = {}): CliError {
  return new CliError(EXIT.trouble, message, { type: 'trouble', ...details });
}

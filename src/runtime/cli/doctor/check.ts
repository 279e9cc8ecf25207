/** One finding of `weir doctor`. */
export interface Check {
  name: string;
  /** `info`: nothing is wrong, and nothing was proven. */
  status: 'ok' | 'info' | 'warning' | 'failed';
  detail: string;
  /** What to do about it. */
  remedies: string[];
  /** How long the answer took; null where nothing was asked. */
  latencyMs: number | null;
}

/** A finding, without what does not apply. */
export function finding(
  name: string,
  status: Check['status'],
  detail: string,
  extras: { remedies?: string[]; latencyMs?: number } = {},
): Check {
  return { name, status, detail, remedies: extras.remedies ?? [], latencyMs: extras.latencyMs ?? null };
}

/** The words of an error, whatever was thrown. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  return code !== undefined && !error.message.includes(code) ? `${code}: ${error.message}` : error.message;
}

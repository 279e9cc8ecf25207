export const DAY = 86_400;

/** What an account used of a model on a day, and what that cost. */
export interface AccountUsage {
  /** Unix seconds at which the UTC day begins. */
  day: number;
  /** As the account names it. */
  model: string;
  /** Cached tokens not counted. */
  inputTokens: number;
  cachedTokens: number;
  outputTokens: number;
  requests: number;
  /** Decimal USD. */
  usd: string;
}

export interface ReportQuery {
  url: URL;
  usage: readonly AccountUsage[];
  pageDays: number;
}

/** A page of a report; null for a path or a question that the API does not know. */
export type Report = (query: ReportQuery) => object | null;

/** The days of one page, and the mark of the next. */
export function pageOfDays(
  { from, to, page }: { from: number; to: number; page: string | null },
  pageDays: number,
): { days: number[]; next: string | null } {
  const first = page === null ? from : Number(page.replace('page_', ''));
  const end = Math.min(to, first + pageDays * DAY);
  const days = Array.from({ length: Math.max(0, Math.ceil((end - first) / DAY)) }, (_, index) => first + index * DAY);
  return { days, next: end < to ? `page_${end}` : null };
}

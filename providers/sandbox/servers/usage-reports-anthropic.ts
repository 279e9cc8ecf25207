import { DAY, pageOfDays, type Report } from './usage-report-pages.ts';

/** `/v1/organizations/usage_report/messages` and `/v1/organizations/cost_report`. */
export const anthropicReport: Report = ({ url, usage, pageDays }) => {
  const { searchParams: query, pathname } = url;
  const [from, to] = ['starting_at', 'ending_at'].map((name) => Date.parse(query.get(name) ?? '') / 1000);
  if (from === undefined || to === undefined || !(to > from)) return null;
  const { days, next } = pageOfDays({ from, to, page: query.get('page') }, pageDays);
  const grouped = query.getAll('group_by[]');
  const resultsOf = (day: number): object[] | null => {
    const used = usage.filter((each) => each.day === day);
    switch (pathname) {
      case '/v1/organizations/usage_report/messages':
        return used.map((each) => ({
          uncached_input_tokens: each.inputTokens,
          cache_read_input_tokens: each.cachedTokens,
          cache_creation: { ephemeral_1h_input_tokens: 0, ephemeral_5m_input_tokens: 0 },
          output_tokens: each.outputTokens,
          server_tool_use: { web_search_requests: 0 },
          model: grouped.includes('model') ? each.model : null,
          service_tier: null,
        }));
      case '/v1/organizations/cost_report':
        return used.map((each) => ({
          currency: 'USD',
          amount: inCents(each.usd),
          description: grouped.includes('description') ? `${each.model} Usage - Input Tokens` : null,
          model: grouped.includes('description') ? each.model : null,
          cost_type: 'tokens',
        }));
      default:
        return null;
    }
  };
  if (resultsOf(from) === null) return null;
  const data = days.map((day) => ({
    starting_at: timeText(day),
    ending_at: timeText(day + DAY),
    results: resultsOf(day) ?? [],
  }));
  return { data, has_more: next !== null, next_page: next };
};

function timeText(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}

/** The point two digits to the right. */
function inCents(usd: string): string {
  const [whole = '0', fraction = ''] = usd.split('.');
  const digits = fraction.padEnd(2, '0');
  return `${whole}${digits.slice(0, 2)}.${digits.slice(2) || '0'}`;
}

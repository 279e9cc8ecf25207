import { DAY, pageOfDays, type Report } from './usage-report-pages.ts';

/** `/v1/organization/usage/*` and `/v1/organization/costs`. */
export const openaiReport: Report = ({ url, usage, pageDays }) => {
  const { searchParams: query, pathname } = url;
  const [from, to] = [Number(query.get('start_time')), Number(query.get('end_time'))];
  if (!(from > 0 && to > from) || query.get('bucket_width') !== '1d') return null;
  const { days, next } = pageOfDays({ from, to, page: query.get('page') }, pageDays);
  const resultsOf = (day: number): object[] | null => {
    const used = usage.filter((each) => each.day === day);
    switch (pathname) {
      case '/v1/organization/usage/completions':
        return used.map((each) => ({
          object: 'organization.usage.completions.result',
          input_tokens: each.inputTokens + each.cachedTokens,
          input_cached_tokens: each.cachedTokens,
          output_tokens: each.outputTokens,
          num_model_requests: each.requests,
          model: query.get('group_by') === 'model' ? each.model : null,
          batch: null,
        }));
      case '/v1/organization/usage/embeddings':
      case '/v1/organization/usage/moderations':
        return [];
      case '/v1/organization/costs':
        return used.map((each) => ({
          object: 'organization.costs.result',
          amount: { value: Number(each.usd), currency: 'usd' },
          line_item: query.get('group_by') === 'line_item' ? `${each.model}, input` : null,
          project_id: null,
        }));
      default:
        return null;
    }
  };
  if (resultsOf(from) === null) return null;
  const data = days.map((day) => ({
    object: 'bucket',
    start_time: day,
    end_time: day + DAY,
    results: resultsOf(day) ?? [],
  }));
  return { object: 'page', data, has_more: next !== null, next_page: next };
};

import type { VNode } from 'preact';
import type { LedgerSummary } from '../accounts.ts';
import { formatCount, percent } from '../format.ts';
import { html } from '../html.ts';
import { Count, Figure, Money } from './figures.ts';

/** The head figures of an account that is summed by status. */
export function Headline({ summary }: { summary: LedgerSummary }): VNode {
  const { total } = summary;
  const of = (status: string) => summary.data.find((row) => row.status === status);
  const failed = (of('failed')?.requests ?? 0) + (of('unknown')?.requests ?? 0);
  const retried = (of('failed')?.entries ?? 0) + (of('unknown')?.entries ?? 0) - failed;
  const share = total.list_amount_nano_usd === 0 ? null : total.savings_nano_usd / total.list_amount_nano_usd;
  // Sums of nothing: what has a price may well have saved nothing.
  const isUnknown = total.list_amount_nano_usd === 0;
  return html`<dl class="figures">
    <${Figure} name="Spend" tone="lead" note=${html`of <${Money} nano=${total.list_amount_nano_usd} usd=${total.list_amount_usd} unpriced=${total.unpriced_entries} /> at real-time list prices`}>
      <${Money} nano=${total.amount_nano_usd} usd=${total.amount_usd} unpriced=${total.unpriced_entries} /></${Figure}>
    <${Figure} name="Saved" note=${share === null ? 'nothing to compare with' : `${percent(share)} of the list price`}>
      <${Money} nano=${total.savings_nano_usd} usd=${total.savings_usd} unpriced=${isUnknown ? total.unpriced_entries : 0} /></${Figure}>
    <${Figure} name="Requests" note=${retried > 0 ? `and ${formatCount(retried)} attempts that were retried` : 'each answered at the first attempt'}>
      <${Count} value=${total.requests} /></${Figure}>
    <${Figure} name="Tokens" note=${html`<${Count} value=${total.input_tokens} /> in (<${Count} value=${total.cached_input_tokens} /> cached), <${Count} value=${total.output_tokens} /> out`}>
      <${Count} value=${total.input_tokens + total.output_tokens} /></${Figure}>
    <${Figure} name="Failed requests" tone=${failed > 0 ? 'bad' : ''} note=${`${formatCount(failed)} of ${formatCount(total.requests)}`}>
      <span>${total.requests === 0 ? '–' : percent(failed / total.requests)}</span></${Figure}>
    <${Figure} name="Unpriced" tone=${total.unpriced_entries > 0 ? 'bad' : ''} note=${total.unpriced_entries > 0 ? 'entries without a known price, not in the sums' : 'every entry has a price'}>
      <${Count} value=${total.unpriced_entries} unit="entries" /></${Figure}>
  </dl>`;
}

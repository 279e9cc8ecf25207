import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import type { Page } from '../../../protocol/page.ts';
import type { PriceObject } from '../../../protocol/price.ts';
import { session, withQuery } from '../api.ts';
import { nowSeconds } from '../format.ts';
import { html } from '../html.ts';
import { Button } from '../parts/action.ts';
import { Badge } from '../parts/badge.ts';
import { Segments, TextFilter } from '../parts/controls.ts';
import { Dialog } from '../parts/dialog.ts';
import { Pager } from '../parts/pager.ts';
import { Answer, Empty } from '../parts/states.ts';
import { type Column, Table } from '../parts/table.ts';
import { useQuery } from '../query.ts';
import { query, setQuery } from '../router.ts';
import { PriceCoverage } from './prices/coverage.ts';
import { PricesElsewhere } from './prices/elsewhere.ts';
import { MODES } from './prices/price-form.ts';
import { type PriceStart, StatePrice } from './prices/state-price.ts';

const PAGE_ROWS = 50;
const HOUR = 3_600;
const WHEN = [
  { value: '', label: 'In effect now' },
  { value: 'all', label: 'All dates' },
];

/** A card's input and output rate, the two that are compared first. */
function rate(card: Record<string, string> | null): VNode {
  if (card === null) return html`<span class="faint">–</span>`;
  return html`<span class="nowrap">$${card.input ?? '–'} <span class="faint">in</span></span><br /><span class="nowrap">$${card.output ?? '–'} <span class="faint">out</span></span>`;
}

const ORIGINS = { list: 'list', stated: 'stated', config: 'config file' };

/** Prices with the days on which they hold, and where they come from. */
export function Prices(): VNode {
  const provider = query.value.get('provider') ?? '';
  const model = query.value.get('model') ?? '';
  const when = query.value.get('when') ?? '';
  const view = `${provider}\n${model}\n${when}`;
  const [{ cursors, of }, setCursors] = useState<{ cursors: string[]; of: string }>({ cursors: [], of: view });
  const [shown, setShown] = useState<PriceObject | null>(null);
  /** `new`: a price that starts from nothing. */
  const [stating, setStating] = useState<PriceStart | 'new' | null>(null);
  const isAdmin = session.value?.role === 'admin';
  const pages = of === view ? cursors : [];
  const at = when === '' ? Math.floor(nowSeconds() / HOUR) * HOUR : null;
  const list = useQuery<Page<PriceObject>>(
    withQuery('/v1/prices', { provider, model, at, limit: PAGE_ROWS, after: pages.at(-1) }),
  );
  const succeed = (price: PriceObject) => {
    setShown(null);
    setStating({ provider: price.provider, model: price.model, price });
  };
  const columns: Column<PriceObject>[] = [
    {
      name: 'Model',
      kind: 'lead',
      cell: (
        price,
      ) => html`<button type="button" class="text-button cell-main" onClick=${() => setShown(price)}>${price.model}</button>
        <div class="cell-sub">${price.provider}${price.region ? ` · ${[price.region].flat().join(', ')}` : ''}</div>`,
    },
    { name: 'Real time', kind: 'number', cell: (price) => rate(price.standard) },
    { name: 'Batch', kind: 'number', cell: (price) => rate(price.batch) },
    { name: 'From', kind: 'number', cell: (price) => html`<span class="nowrap">${price.from}</span>` },
    {
      name: 'Until',
      kind: 'number',
      cell: (price) =>
        price.until ? html`<span class="nowrap">${price.until}</span>` : html`<span class="faint">open</span>`,
    },
    {
      name: 'Origin',
      cell: (price) =>
        html`<${Badge} tone=${price.origin === 'list' ? 'idle' : 'run'} icon="check">${ORIGINS[price.origin]}</${Badge}>`,
    },
  ];
  return html`<div class="page">
    <div class="page-head"><div><h1 tabindex="-1">Prices</h1><p class="lead">USD per million tokens. A price is never overwritten: a change is a new one, with its first day.</p></div>
      <div class="controls"><${Segments} label="Dates" value=${when} choices=${WHEN} onChange=${(value: string) => setQuery({ when: value })} />
        ${isAdmin ? html`<${Button} kind="primary" onClick=${() => setStating('new')}>New price</${Button}>` : null}</div></div>
    <div class="filters" role="search" aria-label="Filters">
      <${TextFilter} label="Provider" value=${provider} placeholder="openai" onChange=${(value: string) => setQuery({ provider: value })} />
      <${TextFilter} label="Model" value=${model} placeholder="gpt-4o-mini" onChange=${(value: string) => setQuery({ model: value })} />
    </div>
    <${Answer} query=${list} what="prices" lines=${8}>${(page: Page<PriceObject>) =>
      page.data.length === 0
        ? html`<${Empty} title="No price matches"><p>Requests to a model without a price are counted as unpriced, never as free. An administrator can state a price.</p></${Empty}>`
        : html`<${Table} caption="Prices" columns=${columns} rows=${page.data} rowKey=${(price: PriceObject) => price.id} onRow=${setShown} />
          <${Pager} hasMore=${page.has_more} page=${pages.length} onNext=${() => setCursors({ cursors: [...pages, page.last_id ?? ''], of: view })}
            onPrevious=${() => setCursors({ cursors: pages.slice(0, -1), of: view })} />`}</${Answer}>
    ${isAdmin ? html`<${PriceCoverage} onState=${(provider: string, model: string) => setStating({ provider, model, price: null })} />` : null}
    ${isAdmin ? html`<${PricesElsewhere} provider=${provider} onStated=${list.reload} />` : null}
    ${shown ? html`<${PriceDialog} price=${shown} onClose=${() => setShown(null)} onSucceed=${isAdmin && shown.origin !== 'config' ? succeed : null} />` : null}
    ${stating ? html`<${StatePrice} start=${stating === 'new' ? null : stating} onClose=${() => setStating(null)} onStated=${list.reload} />` : null}
  </div>`;
}

function PriceDialog({
  price,
  onClose,
  onSucceed,
}: {
  price: PriceObject;
  onClose: () => void;
  /** Null where no successor can be stated. */
  onSucceed: ((price: PriceObject) => void) | null;
}): VNode {
  return html`<${Dialog} title=${price.model} onClose=${onClose}>
    <dl class="pairs small">
      <dt>Provider</dt><dd>${price.provider}${price.region ? ` (${[price.region].flat().join(', ')})` : ''}</dd>
      <dt>Holds</dt><dd>${price.from} – ${price.until ?? 'until further notice'} (UTC days)</dd>
      ${price.aliases.length > 0 ? html`<dt>Also called</dt><dd>${price.aliases.join(', ')}</dd>` : null}
      ${price.hours ? html`<dt>Hours</dt><dd>${price.hours.join(', ')}</dd>` : null}
      <dt>Source</dt><dd>${price.source}${price.verified_on ? `, verified ${price.verified_on}` : ''}</dd>
      <dt>Currency</dt><dd>${price.currency}${price.usd_rate ? `, at ${price.usd_rate} USD (${price.usd_rate_on})` : ''}</dd>
      <dt>Version</dt><dd class="mono">${price.version}</dd>
    </dl>
    ${MODES.map((mode) => {
      const card = price[mode];
      return card === null
        ? null
        : html`<h3 key=${mode}>${mode}</h3><dl class="pairs small">${Object.entries(card).map(([name, usd]) => html`<dt>${name.replaceAll('_', ' ')}</dt><dd>$${usd}</dd>`)}</dl>`;
    })}
    ${price.tiers.length > 0 ? html`<h3>Above a context of</h3><pre class="code" tabindex="0">${JSON.stringify(price.tiers, null, 2)}</pre>` : null}
    ${onSucceed ? html`<div class="dialog-actions"><${Button} onClick=${() => onSucceed(price)}>State its successor</${Button}></div>` : null}
  </${Dialog}>`;
}

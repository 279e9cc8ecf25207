import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import type { PriceResolutionObject } from '../../../../protocol/price.ts';
import { get, withQuery } from '../../api.ts';
import { formatCount, plural } from '../../format.ts';
import { html } from '../../html.ts';
import { Button, useAction } from '../../parts/action.ts';
import { Badge } from '../../parts/badge.ts';
import { Empty, Failure } from '../../parts/states.ts';
import { type Column, Table } from '../../parts/table.ts';

/** Models that are asked for; providers of a catalogue list thousands. */
const MODELS_MAX = 300;
const AT_ONCE = 6;

interface Coverage {
  found: PriceResolutionObject[];
  left: number;
}

/** Whether every model of the configured providers has a price, and why it is that one: what `weir prices check` says. */
export function PriceCoverage({ onState }: { onState: (provider: string, model: string) => void }): VNode {
  const [coverage, setCoverage] = useState<Coverage | null>(null);
  const action = useAction();
  const check = () => action.run(async () => setCoverage(await resolveAll()));
  return html`<section class="section" aria-labelledby="coverage">
    <div class="section-head"><div><h2 id="coverage">Does every model have a price?</h2>
      <p class="small faint">Looks up the price that each model of the configured providers gets now.</p></div>
      <${Button} isBusy=${action.isBusy} onClick=${check}>${action.isBusy ? 'Checking…' : 'Check the models'}</${Button}></div>
    ${action.failure ? html`<${Failure} failure=${action.failure} />` : null}
    ${coverage === null ? null : html`<${Found} coverage=${coverage} onState=${onState} />`}
  </section>`;
}

function Found({
  coverage: { found, left },
  onState,
}: {
  coverage: Coverage;
  onState: (provider: string, model: string) => void;
}): VNode {
  if (found.length === 0)
    return html`<${Empty} title="No models"><p>No configured provider lists a model.</p></${Empty}>`;
  const unpriced = found.filter((each) => each.unpriced_reason !== null);
  const columns: Column<PriceResolutionObject>[] = [
    {
      name: 'Model',
      kind: 'lead',
      cell: (each) => html`<span class="cell-main">${each.model}</span><div class="cell-sub">${each.provider}</div>`,
    },
    {
      name: 'Price',
      cell: (each) =>
        each.unpriced_reason === null
          ? html`<${Badge} tone="good" icon="check">${each.price_version ?? 'priced'}</${Badge}>`
          : html`<${Badge} tone="warn" icon="question">unpriced</${Badge}>`,
    },
    {
      name: 'Why',
      cell: (each) =>
        html`<span class="small">${each.unpriced_reason ?? `${each.resolved_by ?? ''}: ${each.priced_model ?? ''}`}</span>`,
    },
    {
      name: 'Action',
      kind: 'bare',
      cell: (each) =>
        each.unpriced_reason === null
          ? null
          : each.price_provider === null
            ? html`<span class="small faint">its <code>price</code> in the config</span>`
            : html`<${Button} kind="small" onClick=${() => onState(each.price_provider ?? '', each.model)}>State a price<span class="hidden"> of ${each.model}</span></${Button}>`,
    },
  ];
  return html`<p class=${unpriced.length > 0 ? 'warn-text' : 'soft'} role="status">${
    unpriced.length > 0
      ? `${plural(unpriced.length, 'model')} of ${formatCount(found.length)} without a price.`
      : `All ${formatCount(found.length)} have a price.`
  }${left > 0 ? ` ${formatCount(left)} more were not looked at.` : ''}</p>
    <${Table} caption="Prices of models" columns=${columns} rows=${[...unpriced, ...found.filter((each) => each.unpriced_reason === null)]}
      rowKey=${(each: PriceResolutionObject) => `${each.provider}/${each.model}`} />`;
}

async function resolveAll(): Promise<Coverage> {
  const { data } = await get<{ data: { id: string; owned_by: string }[] }>('/v1/models');
  // Bare names mean one of these, and routes have no price of their own.
  const models = data.filter(({ id, owned_by: provider }) => id.startsWith(`${provider}/`));
  const asked = models.slice(0, MODELS_MAX);
  const found: PriceResolutionObject[] = [];
  for (let first = 0; first < asked.length; first += AT_ONCE) {
    const some = asked.slice(first, first + AT_ONCE).map(({ id, owned_by: provider }) => {
      const model = id.slice(provider.length + 1);
      return get<PriceResolutionObject>(withQuery('/v1/prices/resolve', { provider, model }));
    });
    found.push(...(await Promise.all(some)));
  }
  return { found, left: models.length - asked.length };
}

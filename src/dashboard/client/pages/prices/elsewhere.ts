import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import type { PriceChangeObject, PriceChanges, PriceCreated } from '../../../../protocol/price.ts';
import { ApiFailure, get, send, withQuery } from '../../api.ts';
import { nowSeconds, plural } from '../../format.ts';
import { html } from '../../html.ts';
import { Button, useAction } from '../../parts/action.ts';
import { TextField } from '../../parts/fields.ts';
import { Empty, Failure } from '../../parts/states.ts';
import { type Column, Table } from '../../parts/table.ts';

const DAY = 86_400;

interface Outcome {
  /** Why the server will not state it; null when it will, or did. */
  refusal: string | null;
  warnings: readonly string[];
}

const keyOf = ({ provider, model }: PriceChangeObject) => `${provider}/${model}`;

/**
 * What another list has otherwise: `weir prices diff`, and `weir prices import` for what is chosen. The server checks
 * what would be stated before anything is.
 */
export function PricesElsewhere({ provider, onStated }: { provider: string; onStated: () => void }): VNode {
  const [found, setFound] = useState<PriceChanges | null>(null);
  const action = useAction();
  const compare = () =>
    action.run(async () => setFound(await get<PriceChanges>(withQuery('/v1/prices/diff', { provider }))));
  return html`<section class="section" aria-labelledby="elsewhere">
    <div class="section-head"><div><h2 id="elsewhere">Do other lists agree?</h2>
      <p class="small faint">Compares the prices that hold now${provider === '' ? '' : ` of ${provider}`} with those of @pydantic/genai-prices, as installed with Weir.</p></div>
      <${Button} isBusy=${action.isBusy} onClick=${compare}>${action.isBusy ? 'Comparing…' : 'Compare'}</${Button}></div>
    ${action.failure ? html`<${Failure} failure=${action.failure} />` : null}
    ${found === null ? null : html`<${Changes} key=${found.data.map(keyOf).join()} found=${found} onStated=${onStated} />`}
  </section>`;
}

function Changes({ found, onStated }: { found: PriceChanges; onStated: () => void }): VNode {
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [from, setFrom] = useState(() => new Date((nowSeconds() + DAY) * 1000).toISOString().slice(0, 10));
  /** What a dry run of exactly this choice said. */
  const [checked, setChecked] = useState<ReadonlyMap<string, Outcome> | null>(null);
  const [stated, setStated] = useState<ReadonlyMap<string, Outcome>>(new Map());
  const action = useAction();
  if (found.data.length === 0) {
    return html`<${Empty} title="Nothing differs"><p>Every rate that the other list knows is the one that holds here.</p></${Empty}>`;
  }
  const choose = (key: string) => () => {
    setChecked(null);
    setChosen((old) => (old.has(key) ? new Set([...old].filter((each) => each !== key)) : new Set([...old, key])));
  };
  const changes = found.data.filter((each) => chosen.has(keyOf(each)));
  const go = (event: Event) => {
    event.preventDefault();
    const dryRun = checked === null;
    return action.run(async () => {
      const outcomes = new Map<string, Outcome>();
      for (const change of changes) outcomes.set(keyOf(change), await state(change, from, found.source, dryRun));
      if (dryRun) return setChecked(outcomes);
      setStated((old) => new Map([...old, ...outcomes]));
      setChosen(new Set());
      setChecked(null);
      onStated();
    });
  };
  const outcomes = new Map([...stated, ...(checked ?? [])]);
  const willState = changes.filter((each) => checked?.get(keyOf(each))?.refusal === null).length;
  const columns: Column<PriceChangeObject>[] = [
    {
      name: 'Import',
      kind: 'bare',
      cell: (change) =>
        change.successor === null || stated.get(keyOf(change))?.refusal === null
          ? null
          : html`<input type="checkbox" aria-label=${`Import ${keyOf(change)}`} checked=${chosen.has(keyOf(change))} onChange=${choose(keyOf(change))} />`,
    },
    {
      name: 'Model',
      kind: 'lead',
      cell: (change) =>
        html`<span class="cell-main">${change.model}</span><div class="cell-sub">${change.provider}</div>`,
    },
    {
      name: 'Differs',
      cell: (change) =>
        html`<ul class="problems small">${change.fields.map(
          ({ name, before, after }) =>
            html`<li key=${name}>${name.replaceAll('_', ' ')}: <span class="faint">${before === null ? 'none' : `$${before}`} →</span> ${after === null ? 'none' : `$${after}`}</li>`,
        )}</ul>`,
    },
    {
      name: 'Notes',
      cell: (change) =>
        html`<${Notes} change=${change} outcome=${outcomes.get(keyOf(change))} isStated=${stated.has(keyOf(change))} />`,
    },
  ];
  return html`<p class="warn-text" role="status">${plural(found.data.length, 'model')} with another price there. USD per million tokens.</p>
    <${Table} caption="Prices of another list" columns=${columns} rows=${found.data} rowKey=${keyOf} />
    <form class="controls" onSubmit=${go}>
      <${TextField} label="From (UTC day)" name="import-from" value=${from} attributes=${{ type: 'date', required: true }} onChange=${(
        value: string,
      ) => {
        setFrom(value);
        setChecked(null);
      }} />
      <button class="button primary" disabled=${action.isBusy || chosen.size === 0 || (checked !== null && willState === 0)}>${
        checked === null
          ? `Check what is chosen (${chosen.size})`
          : `State ${plural(willState, 'price')} from ${from} on`
      }</button>
    </form>
    ${action.failure ? html`<${Failure} failure=${action.failure} />` : null}`;
}

function Notes({
  change,
  outcome,
  isStated,
}: {
  change: PriceChangeObject;
  outcome: Outcome | undefined;
  isStated: boolean;
}): VNode {
  const lines = [...change.notes, ...(outcome?.warnings ?? [])];
  return html`<ul class="problems small">
    ${isStated && outcome?.refusal === null ? html`<li class="soft">Stated.</li>` : null}
    ${outcome?.refusal ? html`<li class="bad-text">${outcome.refusal}</li>` : null}
    ${lines.map((line) => html`<li key=${line}>${line}</li>`)}</ul>`;
}

/** States one price, or asks whether it could be. What speaks against this one alone is no failure of the others. */
async function state(change: PriceChangeObject, from: string, source: string, dryRun: boolean): Promise<Outcome> {
  try {
    const body = { ...change.successor, from, source, dry_run: dryRun };
    return { refusal: null, warnings: (await send<PriceCreated>('POST', '/v1/prices', body)).warnings };
  } catch (error) {
    if (!(error instanceof ApiFailure) || error.status === 0 || error.status >= 500) throw error;
    return { refusal: error.message, warnings: [] };
  }
}

import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import type { BudgetObject } from '../../../../protocol/budget.ts';
import type { KeyObject } from '../../../../protocol/key.ts';
import type { Page } from '../../../../protocol/page.ts';
import type { NamedRoute } from '../../../../protocol/route.ts';
import { ApiFailure, send } from '../../api.ts';
import { html } from '../../html.ts';
import { useAction } from '../../parts/action.ts';
import { Dialog } from '../../parts/dialog.ts';
import { ChoiceField, TextField } from '../../parts/fields.ts';
import { Failure } from '../../parts/states.ts';
import { useQuery } from '../../query.ts';

const PERIODS = [
  { value: 'day', label: 'each day' },
  { value: 'week', label: 'each week, from Monday' },
  { value: 'month', label: 'each month' },
  { value: 'total', label: 'in all, from now on' },
];
const INSUFFICIENT = [
  { value: 'reject', label: 'refuse batches that may not fit' },
  { value: 'stop', label: 'let them run until the limit' },
];
const UNPRICED = [
  { value: 'refuse', label: 'are refused, as they cannot be counted' },
  { value: 'allow', label: 'are let through uncounted' },
];

const EMPTY = {
  name: '',
  limit_usd: '',
  period: 'month',
  timezone: 'UTC',
  tenant_id: '',
  key_id: '',
  tag: '',
  route: '',
  alert_thresholds: '50, 80, 100',
  on_insufficient: 'reject',
  unpriced: 'refuse',
};
type Form = typeof EMPTY;
type FieldOf = (name: keyof Form, label: string, more?: object) => VNode;

/** Makes a budget, or changes one's limit and rules; what it counts stays as it was made. */
export function BudgetDialog({
  budget,
  onClose,
  onSaved,
}: {
  budget: BudgetObject | null;
  onClose: () => void;
  onSaved: () => void;
}): VNode {
  const [form, setForm] = useState<Form>(() => formOf(budget));
  const action = useAction();
  const set = (name: keyof Form) => (value: string) => setForm((old) => ({ ...old, [name]: value }));
  const field: FieldOf = (name, label, more = {}) =>
    html`<${TextField} label=${label} name=${name} value=${form[name]} onChange=${set(name)} failure=${action.failure} ...${more} />`;
  const choice = (name: keyof Form, label: string, choices: { value: string; label: string }[]) =>
    html`<${ChoiceField} label=${label} name=${name} value=${form[name]} choices=${choices} onChange=${set(name)} failure=${action.failure} />`;
  const save = async (event: Event) => {
    event.preventDefault();
    const isDone = await action.run(() =>
      budget === null
        ? send('POST', '/v1/budgets', { ...rulesOf(form), ...scopeOf(form) })
        : send('POST', `/v1/budgets/${encodeURIComponent(budget.id)}`, rulesOf(form)),
    );
    if (!isDone) return;
    onSaved();
    onClose();
  };
  return html`<${Dialog} title=${budget === null ? 'New budget' : `Budget ${budget.name}`} narrow onClose=${onClose}>
    <form class="editor" onSubmit=${save}>
      ${field('limit_usd', 'Limit in USD', { attributes: { required: true, inputmode: 'decimal', placeholder: '100.00' } })}
      ${
        budget === null
          ? html`${choice('period', 'Counted', PERIODS)}
        ${field('timezone', 'Time zone', { note: 'Where days, weeks and months begin, such as Europe/Berlin.' })}
        <${Scope} field=${field} />`
          : null
      }
      ${field('name', 'Name', { attributes: { maxlength: 128, required: budget !== null, placeholder: budget === null ? 'by what it counts' : '' } })}
      ${field('alert_thresholds', 'Alert at percent of the limit', { note: 'Each is told once a period, by webhook and in the log. Empty: no alerts.' })}
      ${choice('on_insufficient', 'When money runs short', INSUFFICIENT)}
      ${choice('unpriced', 'Requests without a price', UNPRICED)}
      ${action.failure ? html`<${Failure} failure=${action.failure} />` : null}
      <div class="dialog-actions"><button class="button primary" disabled=${action.isBusy}>${budget === null ? 'Make the budget' : 'Save the budget'}</button></div>
    </form></${Dialog}>`;
}

/** What a new budget counts, with what is known offered. */
function Scope({ field }: { field: FieldOf }): VNode {
  const keys = useQuery<Page<KeyObject>>('/v1/keys?limit=100').data?.data.filter((key) => key.revoked_at === null);
  const routes = useQuery<{ data: NamedRoute[] }>('/v1/routes').data?.data;
  const tenants = [...new Set(['default', ...(keys ?? []).map((key) => key.tenant_id)])];
  return html`<fieldset class="fieldset"><legend>Counts only (empty: everything)</legend>
    ${field('tenant_id', 'Tenant', { suggestions: tenants })}
    ${field('key_id', 'Key', { suggestions: (keys ?? []).map((key) => key.id), attributes: { placeholder: 'key_…' } })}
    ${field('tag', 'Tag', { attributes: { placeholder: 'name:value' } })}
    ${field('route', 'Route', { suggestions: (routes ?? []).map((route) => route.name) })}
  </fieldset>`;
}

function formOf(budget: BudgetObject | null): Form {
  if (budget === null) return EMPTY;
  const { name, limit_usd, alert_thresholds: thresholds, on_insufficient, unpriced } = budget;
  return { ...EMPTY, name, limit_usd, alert_thresholds: thresholds.join(', '), on_insufficient, unpriced };
}

/** What may be changed later; the server checks the values. Throws ApiFailure for thresholds that are no numbers. */
function rulesOf({ name, limit_usd: limit, alert_thresholds: text, on_insufficient, unpriced }: Form): object {
  const thresholds = text.split(/[\s,;%]+/).filter((part) => part !== '');
  if (thresholds.some((part) => !/^\d+$/.test(part))) {
    const message = 'Write the alert thresholds as whole percents, such as 50, 80, 100.';
    throw new ApiFailure(400, message, 'invalid_value', 'alert_thresholds');
  }
  return {
    ...(name !== '' && { name }),
    limit_usd: limit.trim(),
    alert_thresholds: thresholds.map(Number),
    on_insufficient,
    unpriced,
  };
}

function scopeOf({ period, timezone, tenant_id, key_id, tag, route }: Form): object {
  const at = tag.indexOf(':');
  if (tag !== '' && at < 1) {
    throw new ApiFailure(400, 'Write the tag as name:value, such as project:mail.', 'invalid_value', 'tag');
  }
  return {
    period,
    timezone: timezone.trim(),
    ...(tenant_id !== '' && { tenant_id: tenant_id.trim() }),
    ...(key_id !== '' && { key_id: key_id.trim() }),
    ...(tag !== '' && { tag: { key: tag.slice(0, at), value: tag.slice(at + 1) } }),
    ...(route !== '' && { route: route.trim() }),
  };
}

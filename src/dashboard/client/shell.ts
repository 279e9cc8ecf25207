import type { VNode } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { session, signOut } from './api.ts';
import { html } from './html.ts';
import { liveState, runningBatches } from './live.ts';
import { Select } from './parts/controls.ts';
import { Icon, Mark } from './parts/icons.ts';
import { hrefOf, place } from './router.ts';
import { chosenTenant, loadTenants } from './tenant.ts';
import { chooseTheme, theme } from './theme-choice.ts';

interface Item {
  to: string;
  name: string;
  isAdmin?: boolean;
}

const ITEMS: Item[] = [
  { to: '/', name: 'Overview' },
  { to: '/batches', name: 'Batches' },
  { to: '/evals', name: 'Evals' },
  { to: '/ledger', name: 'Ledger' },
];
const SETTINGS: Item[] = [
  { to: '/routes', name: 'Routes' },
  { to: '/providers', name: 'Providers', isAdmin: true },
  { to: '/prices', name: 'Prices' },
  { to: '/keys', name: 'Keys', isAdmin: true },
  { to: '/budgets', name: 'Budgets', isAdmin: true },
];

/** Navigation around a page. */
export function Shell({ children }: { children?: unknown }): VNode {
  const [isOpen, setOpen] = useState(false);
  const here = place.value;
  useEffect(() => setOpen(false), [here]);
  const links = (items: readonly Item[]) =>
    items
      .filter((item) => !item.isAdmin || session.value?.role === 'admin')
      .map((item) => html`<${Link} key=${item.to} item=${item} here=${here} />`);
  return html`<div class="shell">
    <a class="skip" href="#main" onClick=${skip}>Skip to the content</a>
    <header class=${isOpen ? 'side open' : 'side'}>
      <a class="brand" href=${hrefOf('/')}><${Mark} />Weir</a>
      <button type="button" class="button quiet menu-button" aria-expanded=${String(isOpen)} aria-controls="nav" onClick=${() => setOpen(!isOpen)}>
        <${Icon} name=${isOpen ? 'cross' : 'menu'} />Menu</button>
      <nav class="nav" id="nav" aria-label="Pages">
        ${links(ITEMS)}
        <div class="nav-group">Set-up</div>
        ${links(SETTINGS)}
      </nav>
      <${SideEnd} />
    </header>
    <main class="main" id="main">${children}</main>
  </div>`;
}

function skip(event: Event): void {
  event.preventDefault();
  document.querySelector<HTMLElement>('main h1')?.focus();
}

function Link({ item, here }: { item: Item; here: string }): VNode {
  const isHere = item.to === '/' ? here === '/' : here === item.to || here.startsWith(`${item.to}/`);
  const running = item.to === '/batches' ? runningBatches.value.length : 0;
  return html`<a href=${hrefOf(item.to)} aria-current=${isHere ? 'page' : undefined}>${item.name}
    ${running > 0 ? html`<span class="count" title="running now">${running}<span class="hidden"> running</span></span>` : null}</a>`;
}

/** Whose batches and accounts an administrator sees; nothing where there is one tenant alone. */
function TenantPicker(): VNode | null {
  const [tenants, setTenants] = useState<string[]>([]);
  // A picker is a convenience: without the list everything is shown, as before. Keys made meanwhile are found on the next page.
  const here = place.value;
  useEffect(() => {
    void loadTenants().then(setTenants, () => undefined);
  }, [here]);
  // The operator's own key and its batches belong to the default tenant, which may have no stored key.
  const names = [...new Set(['default', ...tenants])];
  if (names.length < 2) return null;
  return html`<${Select} label="Tenant" value=${chosenTenant.value} choices=${[{ value: '*', label: 'all' }, ...names.map((name) => ({ value: name, label: name }))]}
    onChange=${(value: string) => {
      chosenTenant.value = value;
    }} />`;
}

const LIVE = { on: 'Live', off: 'Reconnecting…', idle: 'Connecting…' };

function SideEnd(): VNode {
  const who = session.value;
  return html`<div class="side-end">
    <span class=${`live ${liveState.value}`} role="status">${LIVE[liveState.value]}</span>
    ${who?.role === 'admin' ? html`<${TenantPicker} />` : null}
    <${Select} label="Theme" value=${theme.value} onChange=${chooseTheme}
      choices=${[
        { value: 'auto', label: 'System' },
        { value: 'light', label: 'Light' },
        { value: 'dark', label: 'Dark' },
      ]} />
    <div class="row"><span class="faint">${who?.role === 'admin' ? 'Admin' : who?.tenant_id}</span>
      <button type="button" class="button quiet small" onClick=${signOut}>Sign out</button></div>
  </div>`;
}

import { computed, signal } from '@preact/signals';

const ROOT = '/dashboard';

const address = signal({ path: location.pathname, search: location.search });

/** The place within the dashboard: `/` or `/batches/batch_1`. */
export const place = computed(() => {
  const path = address.value.path.slice(ROOT.length).replace(/\/+$/, '');
  return path === '' ? '/' : path;
});

/** The query of the address: filters live there, so that a view can be linked to. */
export const query = computed(() => new URLSearchParams(address.value.search));

/** The address of a place. */
export function hrefOf(to: string): string {
  return to === '/' ? ROOT : ROOT + to;
}

export function navigate(to: string, options: { replace?: boolean } = {}): void {
  const href = hrefOf(to);
  if (options.replace) history.replaceState(null, '', href);
  else history.pushState(null, '', href);
  const moved = location.pathname !== address.value.path;
  address.value = { path: location.pathname, search: location.search };
  if (moved) {
    scrollTo(0, 0);
    // Whoever listens instead of looking hears the new page's name.
    requestAnimationFrame(() => document.querySelector<HTMLElement>('main h1')?.focus());
  }
}

/** Changes parts of the query in place; null takes one away. */
export function setQuery(changes: Record<string, string | null>): void {
  const next = new URLSearchParams(query.value);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === '') next.delete(name);
    else next.set(name, value);
  }
  const text = next.toString();
  navigate(place.value + (text === '' ? '' : `?${text}`), { replace: true });
}

/** Follows links within the dashboard without loading the page again. */
export function startRouter(): void {
  addEventListener('popstate', () => {
    address.value = { path: location.pathname, search: location.search };
  });
  document.addEventListener('click', (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
    const link = (event.target as Element).closest?.('a');
    if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
    if (link.pathname !== ROOT && !link.pathname.startsWith(`${ROOT}/`)) return;
    event.preventDefault();
    const path = link.pathname.slice(ROOT.length);
    navigate((path === '' ? '/' : path) + link.search);
  });
}

import { render, type VNode } from 'preact';
import { useEffect } from 'preact/hooks';
import { loadSession, session } from './api.ts';
import { html } from './html.ts';
import { startLive } from './live.ts';
import { SignIn } from './pages/sign-in.ts';
import { PAGES } from './pages.ts';
import { Empty } from './parts/states.ts';
import { forgetAnswers } from './query.ts';
import { hrefOf, place, startRouter } from './router.ts';
import { Shell } from './shell.ts';
import { chosenTenant } from './tenant.ts';

const RETRY_MS = 3_000;

function App(): VNode {
  const who = session.value;
  const tenant = chosenTenant.value;
  useEffect(() => {
    forgetAnswers();
    if (!who) chosenTenant.value = '*';
    return who ? startLive() : undefined;
  }, [who, tenant]);
  if (who === undefined) return html`<p class="boot" role="status">Loading…</p>`;
  if (who === null) {
    document.title = 'Sign in – Weir';
    return html`<${SignIn} />`;
  }
  return html`<${Shell}><${CurrentPage} /></${Shell}>`;
}

function CurrentPage(): VNode {
  for (const page of PAGES) {
    const match = page.path.exec(place.value);
    if (!match || (page.isAdmin && session.value?.role !== 'admin')) continue;
    document.title = `${page.title} – Weir`;
    return html`<${page.view} key=${match[1] ?? page.title} id=${decodeURIComponent(match[1] ?? '')} />`;
  }
  document.title = 'Not found – Weir';
  return html`<div class="page"><h1 tabindex="-1">Not found</h1>
    <${Empty} title="There is no such page"><p>It may need an admin key, or the address is mistyped. <a href=${hrefOf('/')}>Go to the overview</a>.</p></${Empty}></div>`;
}

async function start(): Promise<void> {
  startRouter();
  const root = document.getElementById('app');
  if (root === null) return;
  root.textContent = '';
  render(html`<${App} />`, root);
  while (session.value === undefined) {
    await loadSession().catch(() => new Promise((wake) => setTimeout(wake, RETRY_MS)));
  }
  document.addEventListener('visibilitychange', () => {
    // Also where nobody is signed in: this tab's session may have ended as another tab signed in anew.
    if (!document.hidden) void loadSession().catch(() => undefined);
  });
}

void start();

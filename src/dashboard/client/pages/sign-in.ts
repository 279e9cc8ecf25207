import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import { ApiFailure, sessionNote, signIn } from '../api.ts';
import { html } from '../html.ts';
import { Mark } from '../parts/icons.ts';

/** Asks for an API key and exchanges it for a session. */
export function SignIn(): VNode {
  const [key, setKey] = useState('');
  const [failure, setFailure] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setFailure(null);
    await signIn(key.trim()).catch((error: unknown) => {
      setFailure(error instanceof ApiFailure ? error.message : String(error));
    });
    setBusy(false);
  };
  return html`<main class="sign-in">
    <form onSubmit=${submit}>
      <div class="brand"><${Mark} />Weir</div>
      <h1 tabindex="-1">Sign in</h1>
      ${sessionNote.value ? html`<p class="notice warn" role="status">${sessionNote.value}</p>` : null}
      <label class="field"><span>API key</span>
        <input class="input mono" type="password" name="key" required autocomplete="current-password" spellcheck=${false}
          placeholder="weir_…" value=${key} aria-invalid=${failure ? 'true' : undefined} aria-describedby=${failure ? 'sign-in-failure' : undefined}
          onInput=${(event: Event) => setKey((event.currentTarget as HTMLInputElement).value)} /></label>
      ${failure ? html`<p id="sign-in-failure" class="bad-text" role="alert">${failure}</p>` : null}
      <button class="button primary" disabled=${isBusy || key.trim() === ''}>${isBusy ? 'Signing in…' : 'Sign in'}</button>
      <p class="small faint">The key is exchanged for a session of twelve hours and not kept in the browser. An admin key sees every
        tenant; any other key sees its own. The first admin key was printed when the server first started.</p>
    </form>
  </main>`;
}

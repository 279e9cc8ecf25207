import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import type { NamedRoute } from '../../../../protocol/route.ts';
import { ApiFailure, send } from '../../api.ts';
import { html } from '../../html.ts';
import { Button, useAction } from '../../parts/action.ts';
import { Confirm } from '../../parts/dialog.ts';
import { Trial } from './trial.ts';

const TEMPLATE = {
  strategy: { mode: 'loadbalance' },
  targets: [
    { provider: 'first-provider', model: 'a-model', weight: 60 },
    { provider: 'second-provider', model: 'a-model', weight: 40 },
  ],
};

/** Writes a route as JSON; the server says what is wrong with it, by path. Routes of the config file are read only. */
export function RouteEditor({
  route,
  onSaved,
  onClose,
}: {
  route: NamedRoute | null;
  onSaved: (name: string | null) => void;
  onClose: () => void;
}): VNode {
  const [name, setName] = useState(route?.name ?? '');
  const [text, setText] = useState(JSON.stringify(route?.config ?? TEMPLATE, null, 2));
  const [note, setNote] = useState<string | null>(null);
  const [asks, setAsks] = useState(false);
  const action = useAction();
  const isFixed = route?.source === 'config';
  const save = () =>
    action.run(async () => {
      setNote(null);
      const config = parseConfig(text);
      if (route) await send('PUT', `/v1/routes/${encodeURIComponent(name)}`, { config });
      else await send('POST', '/v1/routes', { name, config });
      setNote('Saved. New batches use it; running ones keep theirs.');
      onSaved(name);
    });
  const remove = () =>
    action.run(async () => {
      setAsks(false);
      await send('DELETE', `/v1/routes/${encodeURIComponent(name)}`);
      onSaved(null);
    });
  return html`<section class="section" aria-labelledby="route-editor">
    <div class="section-head"><h2 id="route-editor">${route ? route.name : 'New route'}</h2><${Button} kind="quiet small" onClick=${onClose}>Close</${Button}></div>
    ${isFixed ? html`<p class="notice">This route is in the server’s config file and is changed there. You can still try a line on it.</p>` : null}
    <div class="columns">
      <div class="editor">
        ${route ? null : html`<label class="field"><span>Name</span><input class="input" value=${name} spellcheck=${false} onInput=${(event: Event) => setName((event.currentTarget as HTMLInputElement).value)} /></label>`}
        <label class="field"><span>Config</span><textarea class="input mono" rows="18" spellcheck=${false} readonly=${isFixed} value=${text}
          aria-invalid=${action.failure ? 'true' : undefined} onInput=${(event: Event) => setText((event.currentTarget as HTMLTextAreaElement).value)}></textarea></label>
        ${action.failure ? html`<div class="notice bad" role="alert"><ul class="problems">${problemsOf(action.failure).map((problem) => html`<li key=${problem}>${problem}</li>`)}</ul></div>` : null}
        ${note ? html`<p class="notice good" role="status">${note}</p>` : null}
        ${
          isFixed
            ? null
            : html`<div class="controls"><${Button} kind="primary" isBusy=${action.isBusy} onClick=${save}>Save route</${Button}>
          ${route ? html`<${Button} kind="danger" onClick=${() => setAsks(true)}>Delete</${Button}>` : null}</div>`
        }
      </div>
      <${Trial} readConfig=${() => parseConfig(text)} />
    </div>
    ${asks ? html`<${Confirm} title=${`Delete the route ${name}?`} verb="Delete" danger onConfirm=${remove} onClose=${() => setAsks(false)}><p>Running batches keep it; new ones cannot name it any more.</p></${Confirm}>` : null}
  </section>`;
}

function parseConfig(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ApiFailure(400, `This is not valid JSON: ${error instanceof Error ? error.message : error}`);
  }
}

/** The server joins problems into one sentence; a list is easier to work through. */
function problemsOf(failure: ApiFailure): string[] {
  return failure.message.replace(/^Invalid routing config: /, '').split('; ');
}

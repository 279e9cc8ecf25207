import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import type { RouteTrial } from '../../../../protocol/route-trial.ts';
import { ApiFailure, send } from '../../api.ts';
import { html } from '../../html.ts';
import { Button, useAction } from '../../parts/action.ts';
import { Failure } from '../../parts/states.ts';

const LINE = {
  url: '/v1/chat/completions',
  body: { model: 'gpt-4o-mini', messages: [{ role: 'user', content: 'What is a weir?' }], max_tokens: 100 },
};

/** Shows where a line would go and what each provider would be sent. Nothing is sent. */
export function Trial({ readConfig }: { readConfig: () => unknown }): VNode {
  const [text, setText] = useState(JSON.stringify(LINE, null, 2));
  const [trial, setTrial] = useState<RouteTrial | null>(null);
  const action = useAction();
  const run = () =>
    action.run(async () => {
      setTrial(null);
      setTrial(await send<RouteTrial>('POST', '/v1/routes/try', { config: readConfig(), line: parse(text) }));
    });
  return html`<div class="editor">
    <label class="field"><span>Try a line (nothing is sent)</span><textarea class="input mono" rows="9" spellcheck=${false} value=${text}
      onInput=${(event: Event) => setText((event.currentTarget as HTMLTextAreaElement).value)}></textarea></label>
    <div><${Button} isBusy=${action.isBusy} onClick=${run}>Try this line</${Button}></div>
    ${action.failure ? html`<${Failure} failure=${action.failure} />` : null}
    ${trial ? html`<div role="status"><${Outcome} trial=${trial} /></div>` : null}
  </div>`;
}

function Outcome({ trial }: { trial: RouteTrial }): VNode {
  if (trial.refused)
    return html`<p class="notice bad"><span><strong>${trial.refused.code}</strong> ${trial.refused.message}</span></p>`;
  return html`<ol class="trial">${trial.targets.map(
    (target, index) => html`<li key=${index}>
      <div><span class="faint">${index === 0 ? 'first' : target.shared ? 'or, from the same queue' : 'then, if that fails'}</span> <strong>${target.target}</strong></div>
      <div class="small soft">${target.mode}, weight ${target.weight}, ${target.retries} retries</div>
      ${target.refused ? html`<div class="small bad-text">cannot take this line: ${target.refused.message}</div>` : null}
      ${target.warnings.map((warning) => html`<div class="small warn-text" key=${warning}>${warning}</div>`)}
      ${target.body === null ? null : html`<details class="small"><summary>What it would be sent</summary><pre class="code" tabindex="0">${JSON.stringify(target.body, null, 2)}</pre></details>`}
    </li>`,
  )}</ol>`;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ApiFailure(400, `The line is not valid JSON: ${error instanceof Error ? error.message : error}`);
  }
}

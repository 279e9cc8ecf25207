import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import { send } from '../../api.ts';
import { html } from '../../html.ts';
import { useAction } from '../../parts/action.ts';
import { Copy } from '../../parts/controls.ts';
import { Dialog } from '../../parts/dialog.ts';
import { ChoiceField, TextField } from '../../parts/fields.ts';
import { Failure } from '../../parts/states.ts';

const ROLES = [
  { value: 'user', label: 'user: its tenant only' },
  { value: 'admin', label: 'admin: everything' },
];

/** Makes a key and shows its secret, once. */
export function NewKey({ onClose, onMade }: { onClose: () => void; onMade: () => void }): VNode {
  const [name, setName] = useState('');
  const [role, setRole] = useState('user');
  const [tenant, setTenant] = useState('');
  const [secret, setSecret] = useState<string | null>(null);
  const action = useAction();
  const make = (event: Event) => {
    event.preventDefault();
    void action.run(async () => {
      const made = await send<{ secret: string }>('POST', '/v1/keys', {
        name,
        role,
        ...(tenant !== '' && { tenant_id: tenant }),
      });
      setSecret(made.secret);
      onMade();
    });
  };
  if (secret !== null) {
    return html`<${Dialog} title="The new key" narrow onClose=${onClose}>
      <p>This is shown once and stored nowhere. Keep it now.</p>
      <p class="code mono" data-secret>${secret}<${Copy} text=${secret} what="the key" /></p></${Dialog}>`;
  }
  return html`<${Dialog} title="New key" narrow onClose=${onClose}>
    <form class="editor" onSubmit=${make}>
      <${TextField} label="Name" name="name" value=${name} onChange=${setName} failure=${action.failure} attributes=${{ required: true, maxlength: 128 }} />
      <${TextField} label="Tenant" name="tenant_id" value=${tenant} onChange=${setTenant} failure=${action.failure}
        attributes=${{ pattern: '[a-zA-Z0-9_\\-]{1,64}', placeholder: 'default', title: '1 to 64 letters, digits, _ or -' }} />
      <${ChoiceField} label="Role" name="role" value=${role} choices=${ROLES} onChange=${setRole} failure=${action.failure} />
      ${action.failure ? html`<${Failure} failure=${action.failure} />` : null}
      <div class="dialog-actions"><button class="button primary" disabled=${action.isBusy}>Make the key</button></div>
    </form></${Dialog}>`;
}

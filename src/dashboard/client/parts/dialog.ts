import type { ComponentChildren, VNode } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { html } from '../html.ts';

/** A modal window while it is rendered; the browser keeps the focus inside, and Escape closes it. */
export function Dialog({
  title,
  onClose,
  narrow = false,
  children,
}: {
  title: ComponentChildren;
  onClose: () => void;
  narrow?: boolean;
  children?: ComponentChildren;
}): VNode {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    element.current?.showModal();
  }, []);
  const onBackdrop = (event: MouseEvent) => {
    if (event.target === element.current) onClose();
  };
  return html`<dialog ref=${element} class=${narrow ? 'narrow' : ''} aria-labelledby="dialog-title" onClose=${onClose} onClick=${onBackdrop}>
    <div class="dialog-body">
      <div class="dialog-head"><h2 id="dialog-title">${title}</h2>
        <button type="button" class="button quiet small" onClick=${onClose}>Close</button></div>
      ${children}
    </div>
  </dialog>`;
}

/** Asks before something that cannot be taken back. */
export function Confirm({
  title,
  verb,
  danger = false,
  onConfirm,
  onClose,
  children,
}: {
  title: string;
  verb: string;
  danger?: boolean;
  onConfirm: () => void;
  onClose: () => void;
  children?: ComponentChildren;
}): VNode {
  return html`<${Dialog} title=${title} narrow onClose=${onClose}>
    <div>${children}</div>
    <div class="dialog-actions">
      <button type="button" class="button" onClick=${onClose}>Keep as it is</button>
      <button type="button" class=${danger ? 'button danger' : 'button primary'} onClick=${onConfirm}>${verb}</button>
    </div>
  </${Dialog}>`;
}

import type { VNode } from 'preact';
import { html } from '../html.ts';

/** Drawn on a 16 × 16 grid, in the colour of the text beside them. */
const PATHS: Record<IconName, string> = {
  check: 'M3 8.5l3.2 3.2L13 4.8',
  cross: 'M4 4l8 8M12 4l-8 8',
  run: 'M3 5.5h4c2 0 2 2.5 4 2.5h2M3 9h3c2 0 2 3 4 3h3',
  wait: 'M8 4v4.2l2.8 1.6M8 1.8a6.2 6.2 0 1 1 0 12.4A6.2 6.2 0 0 1 8 1.8',
  pause: 'M5.5 3.5v9M10.5 3.5v9',
  stop: 'M4.5 4.5h7v7h-7z',
  copy: 'M5.5 5.5V3h7.5v7.5h-2.5M3 5.5h7.5V13H3z',
  question: 'M5.8 6a2.2 2.2 0 1 1 3.1 2c-.7.3-.9.7-.9 1.5M8 12v.2',
  menu: 'M2.5 4.5h11M2.5 8h11M2.5 11.5h11',
  alert: 'M8 2.2l6.3 11.3H1.7zM8 6.5v3.4M8 11.6v.3',
};

export type IconName = 'check' | 'cross' | 'run' | 'wait' | 'pause' | 'stop' | 'copy' | 'question' | 'menu' | 'alert';

export function Icon({ name }: { name: IconName }): VNode {
  return html`<svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" fill="none" stroke="currentColor"
    stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"><path d=${PATHS[name]} /></svg>`;
}

export function Mark(): VNode {
  return html`<svg viewBox="0 0 24 24" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="2.4"
    stroke-linecap="round"><path d="M2 6h8c3 0 3 4 6 4h6M2 12h6c3 0 3 5 6 5h8M2 18h4c2 0 2 4 5 4h11" /></svg>`;
}

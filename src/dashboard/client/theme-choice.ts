import { signal } from '@preact/signals';

/** `auto` follows the system. The choice is applied before the first paint by theme.ts. */
export const theme = signal(document.documentElement.dataset.theme ?? 'auto');

export function chooseTheme(choice: string): void {
  theme.value = choice;
  if (choice === 'auto') {
    delete document.documentElement.dataset.theme;
    localStorage.removeItem('weir-theme');
  } else {
    document.documentElement.dataset.theme = choice;
    localStorage.setItem('weir-theme', choice);
  }
}

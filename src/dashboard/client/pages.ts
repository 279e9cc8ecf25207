import type { ComponentType } from 'preact';
import { Batch } from './pages/batch.ts';
import { Batches } from './pages/batches.ts';
import { Overview } from './pages/overview.ts';

export interface Page {
  path: RegExp;
  title: string;
  view: ComponentType<{ id: string }>;
  isAdmin?: boolean;
}

export const PAGES: Page[] = [
  { path: /^\/$/, title: 'Overview', view: Overview },
  { path: /^\/batches$/, title: 'Batches', view: Batches },
  { path: /^\/batches\/([^/]+)$/, title: 'Batch', view: Batch },
];

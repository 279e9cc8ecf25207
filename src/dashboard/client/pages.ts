import type { ComponentType } from 'preact';
import { Batch } from './pages/batch.ts';
import { Batches } from './pages/batches.ts';
import { Budgets } from './pages/budgets.ts';
import { Eval } from './pages/eval.ts';
import { Evals } from './pages/evals.ts';
import { Keys } from './pages/keys.ts';
import { Ledger } from './pages/ledger.ts';
import { Overview } from './pages/overview.ts';
import { Prices } from './pages/prices.ts';
import { Providers } from './pages/providers.ts';
import { Routes } from './pages/routes.ts';

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
  { path: /^\/evals$/, title: 'Evals', view: Evals },
  { path: /^\/evals\/([^/]+)$/, title: 'Eval', view: Eval },
  { path: /^\/ledger$/, title: 'Ledger', view: Ledger },
  { path: /^\/routes$/, title: 'Routes', view: Routes },
  { path: /^\/providers$/, title: 'Providers', view: Providers, isAdmin: true },
  { path: /^\/prices$/, title: 'Prices', view: Prices },
  { path: /^\/keys$/, title: 'Keys', view: Keys, isAdmin: true },
  { path: /^\/budgets$/, title: 'Budgets', view: Budgets, isAdmin: true },
];

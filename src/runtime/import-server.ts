import { giveBackCompiled } from './give-back-memory.ts';
import { withoutLocales } from './without-locales.ts';

/** What a server reads, in parts: what an earlier one needs as well, a later one has. */
const PARTS: readonly (() => Promise<unknown>)[] = [
  () => withoutLocales(() => import('@hono/zod-openapi')),
  () => import('../store/open-node.ts'),
  () => import('../http/app.ts'),
];

/**
 * The module of the server. Read part by part, what was compiled of one is given back before the next is read: given back
 * all at once, it would leave 9 MB of holes among what stays, in which hardly anything is put later.
 */
export async function importServer(): Promise<typeof import('./node.ts')> {
  for (const part of PARTS) {
    await part();
    giveBackCompiled();
  }
  return import('./node.ts');
}

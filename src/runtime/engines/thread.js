/**
 * The thread of one engine. Started by engine-threads.ts. Plain JavaScript, so that the compile cache is there before the
 * first TypeScript file is read.
 */
import * as nodeModule from 'node:module';
import { workerData } from 'node:worker_threads';

if (workerData.compileCache !== undefined) nodeModule.enableCompileCache?.(workerData.compileCache);
const { withoutLocales } = await import('../without-locales.ts');
await withoutLocales(() => import('zod'));
await import('./run-thread.ts');

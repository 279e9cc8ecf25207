import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test-order.ts';

/** Tests whose files run one after another in one process: reading the code anew for each costs more than most of them. */
const TOGETHER = ['core', 'protocol', 'http', 'services'].map((folder) => `test/${folder}/**/*.test.ts`);

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    globalSetup: 'config/test-folder.ts',
    pool: 'forks',
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // Two cores, of which two workers leave a quarter idle, as end-to-end tests wait for polls; a fourth one only adds noise.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    // End-to-end tests kill processes at random moments; a shared machine gets two more tries, a developer sees the first failure.
    retry: process.env.CI ? 2 : 0,
    projects: [
      { extends: true, test: { name: 'apart', include: ['test/**/*.test.ts'], exclude: TOGETHER } },
      { extends: true, test: { name: 'together', include: TOGETHER, isolate: false } },
    ],
  },
});

import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';
import { LongestFirst } from './test-order.ts';

/** Tests of what a whole process has: its modules, the engine's flags, its memory, its threads. Each has one to itself. */
const APART = [
  'test/e2e/engine-threads*.test.ts',
  'test/files/placing.test.ts',
  'test/runtime/{cli-upload,give-back-memory,young-generation}.test.ts',
];

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
    // In this order. A process that reads the code anew, and runs it cold, takes three seconds more for it.
    projects: [
      { extends: true, test: { name: 'apart', include: APART } },
      // Several, as what files leave in memory adds up, and end-to-end tests have a bound for it.
      together('e2e 1', 'test/e2e/[a-d]*.test.ts', 'test/chaos/**/*.test.ts'),
      together('e2e 2', 'test/e2e/[e-m]*.test.ts'),
      together('e2e 3', 'test/e2e/[n-z]*.test.ts'),
      together('servers', 'test/{browser,contract,runtime}/**/*.test.ts'),
      together('together', 'test/!(browser|chaos|contract|e2e|runtime)/**/*.test.ts'),
    ],
  },
});

/** Files that run one after another in each of the project's processes. */
function together(name: string, ...include: string[]): TestProjectInlineConfiguration {
  return { extends: true, test: { name, include, exclude: APART, isolate: false } };
}

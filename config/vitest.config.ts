import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';
import { LongestFirst } from './test-order.ts';

/** Tests of what a whole process has: its modules, the engine's flags, its memory, its threads. Each has one to itself. */
const APART = [
  'test/e2e/engine-threads*.test.ts',
  'test/files/placing.test.ts',
  'test/runtime/{cli-upload,give-back-memory,young-generation}.test.ts',
];

/** Tests that start servers, in several groups: what files leave in memory adds up, and end-to-end tests have a bound for it. */
const SERVERS = {
  'e2e a-d': 'test/{chaos,e2e}/[a-d]*.test.ts',
  'e2e e-m': 'test/e2e/[e-m]*.test.ts',
  'e2e n-z': 'test/e2e/[n-z]*.test.ts',
  servers: 'test/{browser,contract,runtime}/**/*.test.ts',
  providers: 'test/providers/**/*.test.ts',
};

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
      ...Object.entries(SERVERS).map(([name, include]) => together(name, [include], APART)),
      together('others', ['test/**/*.test.ts'], [...APART, ...Object.values(SERVERS)]),
    ],
  },
});

/** Files that run one after another in each of the project's processes. */
function together(name: string, include: string[], exclude: string[]): TestProjectInlineConfiguration {
  return { extends: true, test: { name, include, exclude, isolate: false } };
}

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['test/**/*.test.ts'],
    globalSetup: 'config/test-folder.ts',
    pool: 'forks',
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // Two cores: end-to-end tests start servers of their own, so more workers only add noise.
    maxWorkers: 2,
    // End-to-end tests kill processes at random moments; a shared machine gets two more tries, a developer sees the first failure.
    retry: process.env.CI ? 2 : 0,
  },
});

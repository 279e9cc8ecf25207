import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: new URL('../..', import.meta.url).pathname,
    include: ['test/real/*.real.ts'],
    pool: 'forks',
    testTimeout: 60_000,
    hookTimeout: 30_000,
    maxWorkers: 1,
  },
});

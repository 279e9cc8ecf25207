import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const RUN = join(import.meta.dirname, 'run.ts');

describe('the chaos suite', () => {
  it.each([
    ['one server on an embedded database', 508],
    ['one server with two engines in threads', 519],
    ['two servers on a libSQL server, their clocks apart', 503],
  ])(
    'of %s: nothing is lost, doubled, unaccounted for or left behind (seed %i)',
    async (_, seed) => {
      const child = spawn(process.execPath, [RUN, '--seed', String(seed), '--seconds', '4'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let said = '';
      child.stdout.on('data', (chunk: Buffer) => {
        said += chunk.toString('utf8');
      });
      const [status] = (await once(child, 'close')) as [number | null];
      expect(status, said).toBe(0);
      expect(said).toContain('1 of 1 runs passed.');
    },
    150_000,
  );
});

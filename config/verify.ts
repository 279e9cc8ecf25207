/**
 * The fast gate: format, lint, types, architecture, unused code. Needs no database and no network.
 * Prints what failed and reports long files without refusing them.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const LINES_REPORTED = 300;

const steps: { name: string; command: string[] }[] = [
  { name: 'format and lint', command: ['biome', 'ci', '--colors=off', '--error-on-warnings', '.'] },
  {
    name: 'lint with types',
    command: ['oxlint', '--type-aware', '--deny-warnings', 'src', 'providers', 'config', 'test'],
  },
  { name: 'types', command: ['tsc', '-p', '.'] },
  { name: 'unused code', command: ['knip', '--config', '.knip.json'] },
  { name: 'architecture', command: ['vitest', 'run', '--config', 'config/vitest.config.ts', 'test/architecture'] },
];

const root = join(import.meta.dirname, '..');
let failed = 0;
for (const { name, command } of steps) {
  const started = performance.now();
  const [program = '', ...args] = command;
  const { status, stdout, stderr } = spawnSync(join(root, 'node_modules/.bin', program), args, {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
    maxBuffer: 64 * 1024 * 1024,
  });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)`);
  if (status === 0) continue;
  failed += 1;
  console.log(stdout + stderr);
}

const long = ['src', 'providers', 'test', 'config']
  .flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((f) => join(folder, f)),
  )
  .filter((file) => file.endsWith('.ts'))
  .map((file) => ({ file, lines: readFileSync(join(root, file), 'utf8').split('\n').length - 1 }))
  .filter(({ lines }) => lines > LINES_REPORTED)
  .toSorted((a, b) => b.lines - a.lines);
for (const { file, lines } of long) console.log(`long   ${file} has ${lines} lines: do two concerns share it?`);
process.exitCode = failed > 0 ? 1 : 0;

/**
 * `npm run test:real`: the S3 and Cloud Storage code against servers that others wrote, MinIO and fake-gcs-server. They
 * are built with Go once and kept under test/output/real. What cannot be had is said, and its tests are skipped.
 * With WEIR_TEST_PROMPTFOO=1 promptfoo is installed too, for a moment, and run against Weir.
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { install, type RealServer, type RunningServer, start } from './servers.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const CACHE = join(ROOT, 'test/output/real');
const SECRET = randomUUID();

const SERVERS: readonly (RealServer & { variable: string })[] = [
  {
    name: 'minio',
    module: 'github.com/minio/minio',
    version: 'v0.0.0-20260212201848-7aac2a2c5b7c',
    variable: 'WEIR_TEST_S3_URL',
    ready: '/minio/health/ready',
    command: (port, folder) => ({
      args: ['server', '--quiet', '--address', `127.0.0.1:${port}`, folder],
      env: { MINIO_ROOT_USER: 'weir-test', MINIO_ROOT_PASSWORD: SECRET, MINIO_BROWSER: 'off', MINIO_UPDATE: 'off' },
    }),
  },
  {
    name: 'fake-gcs-server',
    module: 'github.com/fsouza/fake-gcs-server',
    version: 'v1.56.1',
    variable: 'WEIR_TEST_GCS_URL',
    ready: '/storage/v1/b?project=test',
    command: (port) => ({
      args: [
        '-scheme',
        'http',
        '-host',
        '127.0.0.1',
        '-port',
        String(port),
        '-backend',
        'memory',
        '-log-level',
        'error',
      ],
      env: {},
    }),
  },
];

/** What `work` gives; null when it fails, which is said. */
async function attempt<Answer>({ name }: RealServer, work: () => Promise<Answer>): Promise<Answer | null> {
  return work().catch((error: unknown) => {
    console.log(`${name}: SKIPPED, ${error instanceof Error ? error.message : String(error)}`);
    return null;
  });
}

async function runTests(variables: Record<string, string>): Promise<number> {
  // An address from outside would be a server that was not started here.
  const { WEIR_TEST_S3_URL: _s3, WEIR_TEST_GCS_URL: _gcs, ...outside } = process.env;
  const program = join(ROOT, 'node_modules/vitest/vitest.mjs');
  const config = join(import.meta.dirname, 'vitest.config.ts');
  const vitest = spawn(process.execPath, [program, 'run', '--config', config], {
    cwd: ROOT,
    env: { ...outside, ...variables },
    stdio: 'inherit',
  });
  // The tests are ended first; what was started here is stopped after them. Ctrl-C reaches them by itself.
  process.on('SIGTERM', () => vitest.kill('SIGTERM'));
  process.on('SIGINT', () => {});
  const [code] = (await once(vitest, 'exit')) as [number | null];
  return code ?? 1;
}

mkdirSync(CACHE, { recursive: true });
const programs: (string | null)[] = [];
for (const server of SERVERS) programs.push(await attempt(server, () => install(server, CACHE)));

const scratch = mkdtempSync(join(tmpdir(), 'weir-real-'));
const running: RunningServer[] = [];
const variables: Record<string, string> = { WEIR_TEST_S3_SECRET: SECRET };
try {
  for (const [index, server] of SERVERS.entries()) {
    const program = programs[index] ?? null;
    if (program === null) continue;
    const folder = join(scratch, server.name);
    mkdirSync(folder);
    const started = await attempt(server, () => start(server, program, folder));
    if (started === null) continue;
    running.push(started);
    variables[server.variable] = started.url;
    console.log(`${server.name}: runs at ${started.url}`);
  }
  process.exitCode = await runTests(variables);
} finally {
  for (const server of running) await server.stop();
  rmSync(scratch, { recursive: true, force: true });
}

/**
 * Random faults against the real product: `npm run test:chaos -- [--seed N] [--seconds N] [--runs N]`.
 *
 * Servers in processes of their own, simulated providers, several tenants; kills, pauses, clock jumps, a full or slow
 * disk, a locked or absent database, and every way in which a provider misbehaves, at moments that the seed decides.
 * Then calm, and the audit (audit.ts). A run that breaks something prints its seed, its schedule and what broke, and
 * the command that repeats it; the others one line. Ends with 1 when a run broke something.
 */
import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const SEEDS = 1_000_000;

const { values } = parseArgs({
  options: { seed: { type: 'string' }, seconds: { type: 'string' }, runs: { type: 'string' } },
});
const first = whole('seed', values.seed, Math.floor(Math.random() * SEEDS));
const seconds = whole('seconds', values.seconds, 5);
const runs = whole('runs', values.runs, 1);

if (!ownMounts()) process.exitCode = await runAll();

/** True when the runs were done in a process whose mounts are seen by nobody else, so that a disk can be filled up. */
function ownMounts(): boolean {
  if (process.platform !== 'linux' || process.env.WEIR_CHAOS_OWN_MOUNTS !== undefined) return false;
  const unshare = process.getuid?.() === 0 ? ['--mount'] : ['--mount', '--map-root-user'];
  if (spawnSync('unshare', [...unshare, 'true']).status !== 0) return false;
  const args = ['--seed', String(first), '--seconds', String(seconds), '--runs', String(runs)];
  const { status } = spawnSync('unshare', [...unshare, process.execPath, import.meta.filename, ...args], {
    stdio: 'inherit',
    env: { ...process.env, WEIR_CHAOS_OWN_MOUNTS: '1' },
  });
  process.exitCode = status ?? 1;
  return true;
}

async function runAll(): Promise<number> {
  let failed = 0;
  for (let seed = first; seed < first + runs; seed++) {
    if (!(await runOne(seed))) failed += 1;
  }
  console.log(failed === 0 ? `${runs} of ${runs} runs passed.` : `${failed} of ${runs} runs broke something.`);
  return failed === 0 ? 0 : 1;
}

async function runOne(seed: number): Promise<boolean> {
  // Not by the process that only starts the one with mounts of its own: reading them takes it two seconds.
  const { hasDatabaseServer } = await import('../../src/runtime/worker/dev/sqld.ts');
  const { describe, planOf } = await import('./plan.ts');
  const { runScenario } = await import('./scenario.ts');
  const plan = planOf(seed, seconds, hasDatabaseServer());
  const name = `seed ${seed}, ${seconds} s, ${plan.servers} server${plan.servers === 1 ? '' : 's'}`;
  const started = Date.now();
  const outcome = await runScenario(plan).catch((error: unknown) => ({
    wrongs: [`the run itself: ${error instanceof Error ? error.stack : String(error)}`],
    batches: 0,
    lines: 0,
    calls: 0,
    logs: '',
  }));
  const { wrongs, batches, lines, calls, logs } = outcome;
  const took = ((Date.now() - started) / 1000).toFixed(0);
  const summary = `${name}: ${batches} batches, ${lines} lines, ${calls} calls, ${took} s`;
  if (wrongs.length === 0) {
    console.log(`ok      ${summary}`);
    return true;
  }
  const { steps, ...rest } = plan;
  const logFile = join(tmpdir(), `weir-chaos-${seed}.log`);
  await writeFile(logFile, logs);
  console.log(`BROKEN  ${summary}\n${JSON.stringify(rest)}\n${steps.map(describe).join('\n')}`);
  for (const wrong of wrongs) console.log(`broken: ${wrong.slice(0, 2_000)}`);
  console.log(`The servers' logs are in ${logFile}. Again: npm run test:chaos -- --seed ${seed} --seconds ${seconds}`);
  return false;
}

function whole(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  console.error(`--${name} must be a whole number, not '${text}'.`);
  process.exit(2);
}

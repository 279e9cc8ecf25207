/** A Weir server in a process of its own, for runs that kill, freeze and trouble it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { spawnWeir, type WeirProcess } from '../e2e/weir.ts';
import type { Trouble } from './preload.ts';

const PRELOAD = join(import.meta.dirname, 'preload.ts');
const LOG_BYTES_KEPT = 200_000;
const START_TRIES = 40;
const RETRY_MS = 500;

export class Server {
  readonly name: string;
  /** What its processes wrote, the end of it. */
  log = '';
  /** Largest resident memory of any of its processes, where the system tells. */
  peakMegabytes = 0;
  /** Ends of a process that nobody asked for. */
  readonly deaths: string[] = [];
  private readonly launch: () => Promise<WeirProcess>;
  private process: WeirProcess | null = null;
  private starting: Promise<void> | null = null;
  private isFrozen = false;
  private trouble: Trouble = {};

  constructor(name: string, configPath: string, dataFolder: string, env: Record<string, string>) {
    this.name = name;
    this.launch = () => {
      // Its clock is what it is from the first moment, not from when it can be told.
      const clock = { WEIR_CHAOS_CLOCK_MS: String(this.trouble.clockMs ?? 0) };
      return spawnWeir(configPath, dataFolder, { env: { ...env, ...clock }, preload: PRELOAD });
    };
  }

  /** Where it answers; null while it is down or frozen. */
  get url(): string | null {
    return this.isFrozen ? null : (this.process?.url ?? null);
  }

  /** Starts it, again and again while its database or disk does not let it. */
  start(): Promise<void> {
    this.starting ??= this.startUp().finally(() => {
      this.starting = null;
    });
    return this.starting;
  }

  private async startUp(): Promise<void> {
    if (this.process) return;
    for (let tries = 1; ; tries++) {
      try {
        this.take(await this.launch());
        return;
      } catch (error) {
        this.keep(`start failed: ${String(error)}\n`);
        if (tries === START_TRIES) throw error;
        await new Promise((wake) => setTimeout(wake, RETRY_MS));
      }
    }
  }

  private take(started: WeirProcess): void {
    this.process = started;
    const { child } = started;
    child.stdout?.on('data', (chunk: Buffer) => this.keep(chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => this.keep(chunk.toString()));
    child.once('exit', (code, signal) => {
      if (this.process !== started) return;
      this.process = null;
      this.deaths.push(`${this.name} ended by itself with ${code ?? signal}`);
    });
    this.tell({});
  }

  /** Adds to its log. */
  keep(text: string): void {
    this.log = (this.log + text).slice(-LOG_BYTES_KEPT);
  }

  /** As a crash does. */
  async kill(): Promise<void> {
    const child = await this.leave();
    await child?.kill();
  }

  /** As an operator does. */
  async terminate(): Promise<void> {
    const child = await this.leave();
    await child?.terminate();
  }

  private async leave(): Promise<WeirProcess | null> {
    await this.starting?.catch(() => undefined);
    await this.measure();
    this.thaw();
    const leaving = this.process;
    this.process = null;
    return leaving;
  }

  freeze(): void {
    if (this.process?.child.kill('SIGSTOP')) this.isFrozen = true;
  }

  thaw(): void {
    if (this.isFrozen) this.process?.child.kill('SIGCONT');
    this.isFrozen = false;
  }

  /** Adds to the troubles that its processes live with. */
  tell(trouble: Trouble): void {
    this.trouble = { ...this.trouble, ...trouble };
    this.process?.child.send(this.trouble, () => undefined);
  }

  /** So many of its next syncs and renames fail; a process that is started later knows nothing of it. */
  failSyncs(count: number): void {
    this.process?.child.send({ syncFailures: count } satisfies Trouble, () => undefined);
  }

  /** Its wall clock is set forward or back by so much. */
  clockJumps(byMs: number): void {
    this.tell({ clockMs: (this.trouble.clockMs ?? 0) + byMs });
  }

  async measure(): Promise<void> {
    const pid = this.process?.child.pid;
    if (pid === undefined) return;
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
    const kilobytes = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0);
    this.peakMegabytes = Math.max(this.peakMegabytes, Math.round(kilobytes / 1024));
  }
}

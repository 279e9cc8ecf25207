import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const MAIN = join(import.meta.dirname, '../../providers/sandbox/servers/main.ts');

export interface Simulator {
  baseUrl: string;
  stop(): Promise<void>;
}

/** Starts a simulated server in a process of its own, so that it does not share the measured one's core by force. */
export async function startSimulator(options: object): Promise<Simulator> {
  const child = spawn(process.execPath, [MAIN, '--port', '0', '--options', JSON.stringify(options)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(chunk.toString('utf8'))?.[0];
  if (!url) throw new Error(`the simulated server did not say where it is: ${chunk.toString('utf8')}`);
  return {
    baseUrl: `${url}/v1`,
    async stop() {
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    },
  };
}

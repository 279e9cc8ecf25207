import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startServer } from '../../node.ts';
import { Api } from '../api.ts';

const PROJECT = new URL('../../../../', import.meta.url);
const CONFIG = fileURLToPath(new URL('config/demo/weir.yaml', PROJECT));
/** Real questions, where the data set lies beside the project; else requests of our own. */
const INPUTS = ['../shared/data/gsm8k-test.batch.jsonl', 'config/demo/requests.jsonl'];

export interface DemoServer {
  api: Api;
  adminKey: string;
  dataDir: string;
  /** Stops the server; `keepData` leaves the data where it is. */
  stop(options: { keepData: boolean }): Promise<void>;
}

/** Starts a server of its own: a free port of this machine, data in a new temporary folder, sandbox providers. */
export async function startDemoServer(): Promise<DemoServer> {
  const dataDir = await mkdtemp(join(tmpdir(), 'weir-demo-'));
  try {
    // Nothing of the caller's environment: the demo must not touch a real server's data or keys.
    const env = { WEIR_CONFIG: CONFIG, WEIR_DATA_DIR: dataDir, WEIR_HOST: '127.0.0.1', WEIR_PORT: '0' };
    const server = await startServer({ env, quiet: true });
    const adminKey = server.adminKey ?? '';
    const api = new Api({ url: server.url, apiKey: adminKey });
    return {
      api,
      adminKey,
      dataDir,
      async stop({ keepData }) {
        await api.close();
        await server.stop();
        if (!keepData) await rm(dataDir, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await rm(dataDir, { recursive: true, force: true });
    throw error;
  }
}

/** The batch file that the demo sends. */
export function demoInput(): string {
  const paths = INPUTS.map((path) => fileURLToPath(new URL(path, PROJECT)));
  const found = paths.find((path) => existsSync(path));
  if (found === undefined) throw new Error('config/demo/requests.jsonl is missing from this copy of the project');
  return found;
}

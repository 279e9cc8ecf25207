import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Environment } from '../../env.ts';

/** The Worker's own config. */
export const WRANGLER_CONFIG = fileURLToPath(new URL('../../../../wrangler.toml', import.meta.url));
const PLATFORM_PACKAGES = new URL('../../../../node_modules/@cloudflare', import.meta.url);
const DISPOSED_WITHIN_MS = 10_000;

export interface LocalWorkerOptions {
  /** Takes the place of secrets, and of the vars in wrangler.toml. */
  environment: Environment;
  /** Where R2 keeps its objects; false keeps them only as long as the Worker runs. */
  persist: string | false;
  /** 0 takes a free port. */
  port: number;
  /** Rebuilds the Worker when a file changes. */
  watch: boolean;
  quiet: boolean;
}

export interface LocalWorker {
  url: string;
  /** Sends the cron event and waits for its end. */
  cron(): Promise<void>;
  stop(): Promise<void>;
}

/** Whether npm has installed workerd here: its program comes in a package of its own for each platform. */
export function hasWorkerd(): boolean {
  return readdirSync(PLATFORM_PACKAGES).some((name) => name.startsWith('workerd-'));
}

/** Wrangler that keeps to itself: no figures of use, no look-up of this machine's place, no log in the home folder. */
export function loadWrangler(): Promise<typeof import('wrangler')> {
  Object.assign(process.env, {
    WRANGLER_SEND_METRICS: 'false',
    CLOUDFLARE_CF_FETCH_ENABLED: 'false',
    WRANGLER_WRITE_LOGS: 'false',
  });
  return import('wrangler');
}

/** Runs the Worker of wrangler.toml in workerd on 127.0.0.1, without an account and without a network. */
export async function startLocalWorker(options: LocalWorkerOptions): Promise<LocalWorker> {
  const { unstable_startWorker } = await loadWrangler();
  const bindings = Object.fromEntries(
    Object.entries(options.environment)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, { type: 'plain_text', value }]),
  );
  const worker = await unstable_startWorker({
    config: WRANGLER_CONFIG,
    bindings,
    // No .dev.vars, no .env: what the Worker gets is in `environment`.
    envFiles: [],
    dev: {
      remote: false,
      persist: options.persist,
      server: { hostname: '127.0.0.1', port: options.port },
      inspector: false,
      watch: options.watch,
      testScheduled: true,
      logLevel: options.quiet ? 'none' : 'warn',
    },
  });
  await worker.ready;
  const url = (await worker.url).href.replace(/\/$/, '');
  return {
    url,
    async cron() {
      const answer = await fetch(`${url}/cdn-cgi/handler/scheduled`);
      const text = await answer.text();
      if (!answer.ok) throw new Error(`the cron event failed: ${answer.status} ${text}`);
    },
    async stop() {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, DISPOSED_WITHIN_MS);
      });
      await Promise.race([worker.dispose(), late]);
      clearTimeout(timer);
    },
  };
}

import * as http from 'node:http';
import type { Proxies } from '../core/proxies.ts';
import { StartError } from './problems.ts';

/** Since Node.js 24.14; the types do not know it yet. */
type Node = typeof http & { setGlobalProxyFromEnv?: (environment: Proxies['environment']) => () => void };

/**
 * Leads the platform's fetch of this thread through the proxies: SDKs, batch files and remote databases use it. Providers'
 * lines and streams have connections of their own, which are told of the proxies where they are made. Throws StartError
 * where Node.js has no such way.
 */
export function useProxies(proxies: Proxies | null): void {
  if (proxies === null) return;
  const lead = (http as Node).setGlobalProxyFromEnv;
  if (lead === undefined) {
    const message = 'needs Node.js 24.14 or newer, which npx weir and npm start bring; or unset it';
    throw new StartError([{ path: proxies.https === null ? 'HTTP_PROXY' : 'HTTPS_PROXY', message }]);
  }
  lead(proxies.environment);
}

import type { Provider } from '../../../../providers/contract.ts';
import { createNodeHttpClient } from '../../../../providers/shared/http-node.ts';
import type { Proxies } from '../../../core/proxies.ts';
import type { Environment } from '../../env.ts';
import type { ServerOptions } from '../../settings.ts';
import { useProxies } from '../../use-proxies.ts';
import { type Check, finding } from '../doctor/check.ts';
import { checkConfig, checkDatabase, checkFolders, checkNode } from '../doctor/machine.ts';
import { checkProviders } from '../doctor/providers.ts';
import { checkServer } from '../doctor/server.ts';
import { EXIT } from '../exit.ts';
import { plural } from '../figures.ts';
import type { Paint } from '../paint.ts';
import { columnsOf, cut, printable, printableJson, wrap } from '../printable.ts';
import { print, type Terminal } from '../terminal.ts';

/** `weir doctor`: everything a first job needs, before it. Needs no running server. */
export async function doctor(terminal: Terminal, args: { json: boolean | undefined }): Promise<number> {
  const checks = await examine(terminal.environment);
  const failed = checks.filter(({ status }) => status === 'failed').length;
  if (args.json) {
    const data = checks.map(({ latencyMs, ...check }) => ({ ...check, latency_ms: latencyMs }));
    await print(terminal, printableJson(JSON.stringify({ object: 'list', ok: failed === 0, data }, null, 2)));
  } else {
    const { columns, paint } = terminal.out;
    await print(terminal, layChecks(checks, columns, paint).join('\n'));
    await print(terminal, failed === 0 ? '\nAll is well.' : `\n${plural(failed, 'check')} failed.`);
  }
  return failed === 0 ? EXIT.done : EXIT.trouble;
}

async function examine(environment: Environment): Promise<Check[]> {
  const { check, loaded } = await checkConfig(environment);
  const checks = [checkNode(process.versions.node), check];
  if (loaded === null) return checks;
  const providers = [...loaded.config.providers.values()];
  const { proxies } = loaded.options;
  useProxies(proxies);
  const [local, remote] = await Promise.all([
    examineServer(environment, loaded.options),
    examineProviders(providers, proxies),
  ]);
  return [...checks, ...checkProxies(proxies), ...local, ...remote];
}

async function examineServer(environment: Environment, options: ServerOptions): Promise<Check[]> {
  const server = await checkServer(environment, options);
  const folders = await checkFolders(options);
  // The database of a running server is that server's alone; that it is ready says that the database works.
  const database =
    server.status === 'ok' && options.databaseUrl.startsWith('file:')
      ? finding('Database', 'info', 'in use by the running server')
      : await checkDatabase(options);
  return [...folders, database, server];
}

/** Where the environment leads requests; nothing where it leads them nowhere. */
function checkProxies(proxies: Proxies | null): Check[] {
  if (proxies === null) return [];
  const through = (['http', 'https'] as const).flatMap((scheme) => {
    const proxy = proxies[scheme];
    return proxy === null ? [] : [`${scheme} through ${proxy.hostname}:${proxy.port}`];
  });
  return [finding('Proxy', 'info', `${through.join(', ')}, but for NO_PROXY`)];
}

async function examineProviders(providers: readonly Provider[], proxies: Proxies | null): Promise<Check[]> {
  const http = createNodeHttpClient({ proxies });
  try {
    return await checkProviders(providers, http);
  } finally {
    await http.close();
  }
}

const NAME_COLUMNS_MOST = 24;

/** One line for each check, its remedies below it. */
export function layChecks(checks: readonly Check[], width: number, paint: Paint): string[] {
  const marks = {
    ok: paint.good('✓'),
    info: paint.dim('·'),
    warning: paint.warn('!'),
    failed: paint.bad('✗'),
  };
  const names = Math.min(NAME_COLUMNS_MOST, Math.max(...checks.map(({ name }) => columnsOf(name))));
  const room = width - names - 4;
  return checks.flatMap(({ name, status, detail, remedies, latencyMs }) => {
    const label = cut(printable(name), names);
    const space = ' '.repeat(names - columnsOf(label));
    const timed = latencyMs === null ? detail : `${detail} (${Math.round(latencyMs)} ms)`;
    const [first = '', ...rest] = wrap(printable(timed), room);
    const indent = ' '.repeat(names + 4);
    const advice = remedies.flatMap((remedy) =>
      wrap(printable(remedy), room - 2).map((line, index) => `${indent}${index === 0 ? '→' : ' '} ${line}`),
    );
    return [`${marks[status]} ${label}${space}  ${first}`, ...rest.map((line) => indent + line), ...advice];
  });
}

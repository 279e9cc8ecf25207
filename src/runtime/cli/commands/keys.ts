import type { ArgsDef } from 'citty';
import type { KeyObject } from '../../../protocol/key.ts';
import type { Page } from '../../../protocol/page.ts';
import { type Api, withApi } from '../api.ts';
import { readPairs, valuesOf } from '../arguments.ts';
import { EXIT, wrongUse } from '../exit.ts';
import { formatTime } from '../figures.ts';
import { keyCreateArguments, keyLimitArguments, type Parsed } from '../options.ts';
import { printable, printableJson } from '../printable.ts';
import { layTable } from '../table.ts';
import { note, print, type Terminal } from '../terminal.ts';

/** `weir keys create NAME`: the secret alone on stdout, so that it can be piped. */
export function createKey(
  terminal: Terminal,
  args: Parsed<typeof keyCreateArguments>,
  rawArguments: readonly string[],
): Promise<number> {
  const limits = readLimits(keyCreateArguments, rawArguments);
  return withApi(terminal, async (api) => {
    const body = {
      name: args.name,
      role: args.admin ? 'admin' : 'user',
      ...(args.tenant === undefined ? {} : { tenant_id: args.tenant }),
      ...(limits === null ? {} : { limits }),
    };
    const key = await api.post<KeyObject & { secret: string }>('/v1/keys', body);
    if (args.json) await print(terminal, printableJson(JSON.stringify(key, null, 2)));
    else {
      await note(terminal, `${printable(key.id)} (${key.role}) created. Its secret is shown this once:`);
      await print(terminal, printable(key.secret));
    }
    return EXIT.done;
  });
}

/** `weir keys limit ID --max NAME=N …`: without any, the server's defaults hold again. */
export function limitKey(
  terminal: Terminal,
  args: Parsed<typeof keyLimitArguments>,
  rawArguments: readonly string[],
): Promise<number> {
  const limits = readLimits(keyLimitArguments, rawArguments);
  return withApi(terminal, async (api) => {
    const key = await api.post<KeyObject>(`/v1/keys/${encodeURIComponent(args.id)}`, { limits });
    const stated = Object.entries(key.limits).filter(([, limit]) => limit !== null);
    const shown = stated.map(([name, limit]) => `${name}=${limit}`).join(', ') || "the server's defaults";
    if (args.json) await print(terminal, printableJson(JSON.stringify(key, null, 2)));
    else await print(terminal, `${printable(key.id)} (${printable(key.name)}): ${shown}`);
    return EXIT.done;
  });
}

/** The values of `--max` by name; null when there is none. The server says which names there are. */
function readLimits(definition: ArgsDef, rawArguments: readonly string[]): Record<string, number> | null {
  const pairs = Object.entries(readPairs(valuesOf('max', definition, rawArguments), 'max'));
  if (pairs.length === 0) return null;
  return Object.fromEntries(
    pairs.map(([name, value]) => {
      if (!/^[1-9][0-9]{0,15}$/.test(value)) {
        throw wrongUse(`--max ${name} needs a whole number from 1, not ${value}.`, 'max');
      }
      return [name, Number(value)];
    }),
  );
}

/** `weir keys list` */
export function listKeys(terminal: Terminal, args: { json: boolean | undefined }): Promise<number> {
  return withApi(terminal, async (api) => {
    const keys = await allKeys(api);
    if (args.json) {
      await print(terminal, printableJson(JSON.stringify({ object: 'list', data: keys }, null, 2)));
      return EXIT.done;
    }
    const columns = [
      { header: 'KEY' },
      { header: 'NAME', least: 8 },
      { header: 'ROLE' },
      { header: 'BEGINS', least: 8 },
      { header: 'STATE', least: 7 },
    ];
    const rows = keys.map((key) => [
      key.id,
      key.name,
      key.role,
      `${key.prefix}…`,
      key.revoked_at === null ? 'active' : `revoked ${formatTime(key.revoked_at).slice(0, 10)}`,
    ]);
    const lines = layTable(columns, rows, { width: terminal.out.columns, paint: terminal.out.paint });
    await print(terminal, lines.join('\n'));
    return EXIT.done;
  });
}

async function allKeys(api: Api): Promise<KeyObject[]> {
  const keys: KeyObject[] = [];
  let after = '';
  for (;;) {
    const page = await api.get<Page<KeyObject>>(`/v1/keys?limit=100${after}`);
    keys.push(...page.data);
    if (!page.has_more || page.last_id === null) return keys;
    after = `&after=${encodeURIComponent(page.last_id)}`;
  }
}

/** `weir keys revoke ID` */
export function revokeKey(terminal: Terminal, args: { id: string; json: boolean | undefined }): Promise<number> {
  return withApi(terminal, async (api) => {
    const key = await api.post<KeyObject>(`/v1/keys/${encodeURIComponent(args.id)}/revoke`);
    if (args.json) await print(terminal, printableJson(JSON.stringify(key, null, 2)));
    else await print(terminal, `${printable(key.id)} (${printable(key.name)}) is revoked.`);
    return EXIT.done;
  });
}

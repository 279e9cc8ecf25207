import { readFile } from 'node:fs/promises';
import { readPriceCsv } from '../../../core/price-csv.ts';
import { compareWithHeld, type ListedPrice, type PriceChange } from '../../../core/price-import.ts';
import type { Page } from '../../../protocol/page.ts';
import type { PriceChanges, PriceCreated, PriceObject, PriceResolutionObject } from '../../../protocol/price.ts';
import { type Api, withApi } from '../api.ts';
import { type CliError, EXIT, wrongUse } from '../exit.ts';
import { plural } from '../figures.ts';
import type { Parsed, priceListArguments, priceSourceArguments } from '../options.ts';
import { printable, printableJson, wrap } from '../printable.ts';
import { type Column, layTable } from '../table.ts';
import { note, print, type Terminal } from '../terminal.ts';

const PAGE = 1_000;

/** `weir prices list` */
export function listPrices(terminal: Terminal, args: Parsed<typeof priceListArguments>): Promise<number> {
  return withApi(terminal, async (api) => {
    const prices = await allPrices(api, { provider: args.provider, model: args.model, at: args.at });
    if (args.json) {
      await print(terminal, printableJson(JSON.stringify({ object: 'list', data: prices }, null, 2)));
      return EXIT.done;
    }
    if (prices.length === 0) {
      await print(terminal, 'There is no such price.');
      return EXIT.done;
    }
    const isEnding = prices.some(({ until }) => until !== null);
    const columns: Column[] = [
      { header: 'PROVIDER', least: 8 },
      { header: 'MODEL', least: 11 },
      { header: 'FROM' },
      ...(isEnding ? [{ header: 'UNTIL' }] : []),
      { header: 'IN', align: 'right' },
      { header: 'OUT', align: 'right' },
      { header: 'BATCH IN', align: 'right' },
      { header: 'ORIGIN' },
    ];
    const rows = prices.map((price) => [
      price.provider,
      withRegion(price),
      price.from,
      ...(isEnding ? [price.until ?? ''] : []),
      price.standard?.input ?? '–',
      price.standard?.output ?? '–',
      price.batch?.input ?? '–',
      price.origin,
    ]);
    const options = { width: terminal.out.columns, paint: terminal.out.paint };
    await print(terminal, layTable(columns, rows, options).join('\n'));
    await note(terminal, 'USD per million tokens.');
    return EXIT.done;
  });
}

function withRegion({ model, region }: PriceObject): string {
  const [first, ...others] = [region ?? []].flat();
  if (first === undefined) return model;
  return `${model} (${first}${others.length > 0 ? ` +${others.length}` : ''})`;
}

/** `weir prices check`: whether every model of the configured providers has a price. 1 when one has none. */
export function checkPrices(terminal: Terminal, args: { json: boolean | undefined }): Promise<number> {
  return withApi(terminal, async (api) => {
    const { data } = await api.get<{ data: { id: string; owned_by: string }[] }>('/v1/models');
    const found: PriceResolutionObject[] = [];
    for (const { id, owned_by: provider } of data) {
      // Bare names mean one of these, and routes have no price of their own.
      if (!id.startsWith(`${provider}/`)) continue;
      const query = new URLSearchParams({ provider, model: id.slice(provider.length + 1) });
      found.push(await api.get<PriceResolutionObject>(`/v1/prices/resolve?${query}`));
    }
    const unpriced = found.filter(({ unpriced_reason: reason }) => reason !== null);
    if (args.json) await print(terminal, printableJson(JSON.stringify({ object: 'list', data: found }, null, 2)));
    else if (found.length === 0) await print(terminal, 'No configured provider lists a model.');
    else {
      const rows = found.map((each) => [
        each.provider,
        each.model,
        each.price_version ?? 'unpriced',
        each.unpriced_reason ?? `${each.resolved_by}: ${each.priced_model}`,
      ]);
      const columns = ['PROVIDER', 'MODEL', 'PRICE', 'WHY'].map((header) => ({ header, least: 8 }));
      const options = { width: terminal.out.columns, paint: terminal.out.paint };
      await print(terminal, layTable(columns, rows, options).join('\n'));
      if (unpriced.length > 0) {
        await print(
          terminal,
          `${plural(unpriced.length, 'model')} without a price: state one with POST /v1/prices, or under price: of the config.`,
        );
      }
    }
    return unpriced.length > 0 ? EXIT.failedLines : EXIT.done;
  });
}

/** `weir prices diff [FILE]`: what another list has otherwise. 1 when something differs. */
export function diffPrices(terminal: Terminal, args: Parsed<typeof priceSourceArguments>): Promise<number> {
  return withApi(terminal, async (api) => {
    const changes = await findChanges(api, args);
    if (args.json) await print(terminal, printableJson(JSON.stringify({ object: 'list', data: changes }, null, 2)));
    else await printChanges(terminal, changes);
    return changes.length > 0 ? EXIT.failedLines : EXIT.done;
  });
}

interface ImportArguments extends Parsed<typeof priceSourceArguments> {
  from: string | undefined;
  apply: boolean | undefined;
}

/** `weir prices import [FILE] --from DAY [--apply]`: states the successors. 1 when the server refused one. */
export function importPrices(terminal: Terminal, args: ImportArguments): Promise<number> {
  const { from } = args;
  if (from === undefined) throw wrongUse('--from is missing: the first day of the new prices, YYYY-MM-DD.', 'from');
  return withApi(terminal, async (api) => {
    const changes = await findChanges(api, args);
    if (!args.json) await printChanges(terminal, changes);
    const outcomes: { provider: string; model: string; id: string | null; warnings: string[]; error: string | null }[] =
      [];
    const source = args.file === undefined ? '@pydantic/genai-prices' : `imported from ${args.file.split('/').at(-1)}`;
    for (const { provider, model, successor, notes } of changes) {
      if (successor === null) {
        outcomes.push({ provider, model, id: null, warnings: [], error: notes.join('; ') });
        continue;
      }
      const body = { ...successor, from, source, dry_run: args.apply !== true };
      const outcome = await api.post<PriceCreated>('/v1/prices', body).catch((error: CliError) => {
        if (error.exitCode === EXIT.wrongUse && error.details.code?.startsWith('price_')) return error;
        throw error;
      });
      const refused = outcome instanceof Error ? outcome.message : null;
      const created = outcome instanceof Error ? null : outcome;
      outcomes.push({
        provider,
        model,
        id: args.apply ? (created?.id ?? null) : null,
        warnings: created?.warnings ?? [],
        error: refused,
      });
    }
    const failed = outcomes.filter(({ error }) => error !== null);
    if (args.json)
      await print(terminal, printableJson(JSON.stringify({ applied: args.apply === true, data: outcomes }, null, 2)));
    else await printOutcomes(terminal, outcomes, from, args.apply === true);
    return failed.length > 0 ? EXIT.failedLines : EXIT.done;
  });
}

async function printOutcomes(
  terminal: Terminal,
  outcomes: readonly { provider: string; model: string; warnings: string[]; error: string | null }[],
  from: string,
  isApplied: boolean,
): Promise<void> {
  for (const { provider, model, warnings, error } of outcomes) {
    for (const text of error === null ? warnings : [`not ${isApplied ? 'stated' : 'possible'}: ${error}`]) {
      await print(terminal, wrap(printable(`${provider}/${model}: ${text}`), terminal.out.columns).join('\n'));
    }
  }
  const done = outcomes.filter(({ error }) => error === null).length;
  if (outcomes.length === 0) return;
  await print(
    terminal,
    isApplied
      ? `${plural(done, 'price')} stated from ${from} on.`
      : `${plural(done, 'price')} would be stated from ${from} on; --apply does it.`,
  );
}

async function findChanges(api: Api, args: Parsed<typeof priceSourceArguments>): Promise<PriceChange[]> {
  const { file, provider } = args;
  if (file === undefined) {
    const query = new URLSearchParams(provider === undefined ? {} : { provider });
    return (await api.get<PriceChanges>(`/v1/prices/diff?${query}`)).data;
  }
  const now = Math.floor(Date.now() / 1000);
  const held = (await allPrices(api, { provider, at: String(now) })).filter(
    ({ region, hours }) => region === null && hours === null,
  );
  const find = (listed: ListedPrice) => {
    const name = listed.model.toLowerCase();
    return held.find(
      (price) =>
        price.provider === listed.provider && (price.model.toLowerCase() === name || price.aliases.includes(name)),
    );
  };
  return (await readCsv(file))
    .filter((listed) => provider === undefined || listed.provider === provider)
    .map((each) => compareWithHeld(each, find(each) ?? null))
    .filter((change) => change !== null);
}

async function readCsv(path: string): Promise<ListedPrice[]> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw wrongUse(`${path} cannot be read: ${error.code ?? error.message}.`, 'file');
  });
  const { prices, problems } = readPriceCsv(text);
  if (problems.length === 0) return prices;
  const shown = problems.slice(0, 20).join('\n');
  throw wrongUse(
    `${path} is no price list:\n${shown}${problems.length > 20 ? `\nand ${problems.length - 20} more` : ''}`,
    'file',
  );
}

async function allPrices(api: Api, filter: Record<string, string | undefined>): Promise<PriceObject[]> {
  const query = new URLSearchParams({ limit: String(PAGE) });
  for (const [name, value] of Object.entries(filter)) if (value !== undefined) query.set(name, value);
  const prices: PriceObject[] = [];
  for (;;) {
    const page = await api.get<Page<PriceObject>>(`/v1/prices?${query}`);
    prices.push(...page.data);
    if (!page.has_more || page.last_id === null) return prices;
    query.set('after', page.last_id);
  }
}

async function printChanges(terminal: Terminal, changes: readonly PriceChange[]): Promise<void> {
  if (changes.length === 0) return print(terminal, 'Nothing differs.');
  const columns: Column[] = [
    { header: 'PROVIDER', least: 6 },
    { header: 'MODEL', least: 12 },
    { header: 'RATE', least: 8 },
    { header: 'NOW', align: 'right' },
    { header: 'LISTED', align: 'right' },
  ];
  const rows = changes.flatMap(({ provider, model, fields }) =>
    fields.map(({ name, before, after }) => [provider, model, name, before ?? '–', after ?? '–']),
  );
  const options = { width: terminal.out.columns, paint: terminal.out.paint };
  await print(terminal, layTable(columns, rows, options).join('\n'));
  await note(terminal, `${plural(changes.length, 'model')} with another price; USD per million tokens.`);
}

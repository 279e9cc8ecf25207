import { type ArgsDef, type CommandDef, defineCommand } from 'citty';
import { evalChooseArguments, evalRunArguments, evalShowArguments } from './eval/options.ts';
import {
  adjustArguments,
  budgetCreateArguments,
  budgetUpdateArguments,
  convertArguments,
  flag,
  id,
  json,
  keyCreateArguments,
  keyLimitArguments,
  ledgerArguments,
  type Parsed,
  priceListArguments,
  priceSourceArguments,
  reconcileArguments,
  repriceArguments,
  submitArguments,
  text,
  watch,
} from './options.ts';
import type { Terminal } from './terminal.ts';
import { version } from './version.ts';

function command<const T extends ArgsDef>(
  name: string,
  description: string,
  args: T,
  run: (terminal: Terminal, args: Parsed<T>, rawArguments: readonly string[]) => Promise<number>,
): CommandDef {
  return defineCommand({
    meta: { name, description },
    args,
    run: ({ data, args: parsed, rawArgs }) => run(data as Terminal, parsed as unknown as Parsed<T>, rawArgs),
  }) as unknown as CommandDef;
}

/**
 * Every command with its options. Only this table is loaded to parse a command line or to show help; what a command
 * does is imported when it runs.
 */
const subCommands = {
  serve: command('serve', 'Run the server', {}, async (terminal) =>
    (await import('./commands/serve.ts')).serve(terminal),
  ),
  demo: command(
    'demo',
    'Show the main job on sandbox providers; needs no keys',
    { keep: flag('Keep the server running afterwards'), json },
    async (terminal, args) => (await import('./commands/demo.ts')).demo(terminal, args),
  ),
  submit: command('submit', 'Send a batch file', submitArguments, async (terminal, args, raw) =>
    (await import('./commands/submit.ts')).submit(terminal, args, raw),
  ),
  status: command(
    'status',
    'Show one batch, or list the latest',
    {
      id: { type: 'positional', description: 'Batch id', required: false },
      watch,
      limit: text('n', 'Batches in the list (default 20)'),
      json,
    },
    async (terminal, args) => (await import('./commands/status.ts')).status(terminal, args),
  ),
  output: command(
    'output',
    'Print the finished lines of a batch in input order',
    {
      id: id('Batch id'),
      out: text('file', 'Write to a file in place of stdout'),
      follow: flag('Stream lines as they finish, until the end'),
      json,
    },
    async (terminal, args) => (await import('./commands/output.ts')).output(terminal, args),
  ),
  estimate: command(
    'estimate',
    'Show what a batch file would do and cost; sends nothing',
    {
      file: id('A batch file: one JSON request per line'),
      route: text('name', 'Route of the server, or an inline {…}'),
      endpoint: text('path', "Default: the first line's url"),
      window: text('time', 'immediate, or a time such as 24h (default)'),
      json,
    },
    async (terminal, args) => (await import('./commands/estimate.ts')).estimate(terminal, args),
  ),
  convert: command(
    'convert',
    "Show a file in the form of a provider's batches; offline",
    convertArguments,
    async (terminal, args) => (await import('./commands/convert.ts')).convert(terminal, args),
  ),
  cancel: command(
    'cancel',
    'Cancel a batch; what is done stays',
    { id: id('Batch id'), json },
    async (terminal, args) => (await import('./commands/steer.ts')).cancel(terminal, args),
  ),
  pause: command('pause', 'Hold a batch', { id: id('Batch id'), json }, async (terminal, args) =>
    (await import('./commands/steer.ts')).pause(terminal, args),
  ),
  resume: command('resume', 'Go on with a held batch', { id: id('Batch id'), json }, async (terminal, args) =>
    (await import('./commands/steer.ts')).resume(terminal, args),
  ),
  retry: command(
    'retry',
    'Send the failed lines of a batch again, as a new one',
    { id: id('Batch id'), watch, json },
    async (terminal, args) => (await import('./commands/steer.ts')).retry(terminal, args),
  ),
  ledger: command('ledger', 'Show the accounts', ledgerArguments, async (terminal, args) =>
    (await import('./commands/ledger.ts')).ledger(terminal, args),
  ),
  adjust: command('adjust', 'Price past entries anew (needs an admin key)', adjustArguments, async (terminal, args) =>
    (await import('./commands/adjust.ts')).adjust(terminal, args),
  ),
  reconcile: command(
    'reconcile',
    'Compare the accounts with what providers bill (needs an admin key)',
    reconcileArguments,
    async (terminal, args, raw) => (await import('./commands/reconcile.ts')).reconcile(terminal, args, raw),
  ),
  reprice: command(
    'reprice',
    'Show what a batch would have cost elsewhere or on another day',
    repriceArguments,
    async (terminal, args) => (await import('./commands/reprice.ts')).reprice(terminal, args),
  ),
  prices: defineCommand({
    meta: { name: 'prices', description: 'Show prices, compare them with other lists, state new ones' },
    subCommands: {
      list: command('list', 'List prices and the days on which they hold', priceListArguments, async (terminal, args) =>
        (await import('./commands/prices.ts')).listPrices(terminal, args),
      ),
      check: command('check', 'Check that every configured model has a price', { json }, async (terminal, args) =>
        (await import('./commands/prices.ts')).checkPrices(terminal, args),
      ),
      diff: command('diff', 'Show what another list has otherwise', priceSourceArguments, async (terminal, args) =>
        (await import('./commands/prices.ts')).diffPrices(terminal, args),
      ),
      import: command(
        'import',
        'State what differs, from a day on',
        {
          ...priceSourceArguments,
          from: text('day', 'First day of the new prices, YYYY-MM-DD'),
          apply: flag('Do it; without this it is only shown'),
        },
        async (terminal, args) => (await import('./commands/prices.ts')).importPrices(terminal, args),
      ),
    },
  }) as CommandDef,
  eval: defineCommand({
    meta: { name: 'eval', description: 'Compare models on your own items, and choose' },
    subCommands: {
      run: command(
        'run',
        'Ask targets the items of a file, and compare',
        evalRunArguments,
        async (terminal, args, raw) => (await import('./commands/eval-run.ts')).evalRun(terminal, args, raw),
      ),
      list: command(
        'list',
        'List evals',
        { limit: text('n', 'Evals in the list (default 20)'), json },
        async (terminal, args) => (await import('./commands/eval-show.ts')).listEvals(terminal, args),
      ),
      show: command(
        'show',
        'Show the runs of an eval, or compare one run',
        evalShowArguments,
        async (terminal, args, raw) => (await import('./commands/eval-show.ts')).evalShow(terminal, args, raw),
      ),
      choose: command(
        'choose',
        'Ask a sample of every target, and propose weights',
        evalChooseArguments,
        async (terminal, args, raw) => (await import('./commands/eval-choose.ts')).evalChoose(terminal, args, raw),
      ),
    },
  }) as CommandDef,
  models: command('models', 'List what a request may name as its model', { json }, async (terminal, args) =>
    (await import('./commands/models.ts')).models(terminal, args),
  ),
  keys: defineCommand({
    meta: { name: 'keys', description: 'Manage API keys (needs an admin key)' },
    subCommands: {
      create: command(
        'create',
        'Create a key; its secret is shown once',
        keyCreateArguments,
        async (terminal, args, raw) => (await import('./commands/keys.ts')).createKey(terminal, args, raw),
      ),
      limit: command(
        'limit',
        'Set the limits of a key; those not named are the server’s',
        keyLimitArguments,
        async (terminal, args, raw) => (await import('./commands/keys.ts')).limitKey(terminal, args, raw),
      ),
      list: command('list', 'List keys', { json }, async (terminal, args) =>
        (await import('./commands/keys.ts')).listKeys(terminal, args),
      ),
      revoke: command('revoke', 'Revoke a key', { id: id('Key id'), json }, async (terminal, args) =>
        (await import('./commands/keys.ts')).revokeKey(terminal, args),
      ),
    },
  }) as CommandDef,
  budgets: defineCommand({
    meta: { name: 'budgets', description: 'Bound what is spent (needs an admin key)' },
    subCommands: {
      create: command(
        'create',
        'Bound what a key, tenant, tag or route may spend',
        budgetCreateArguments,
        async (terminal, args) => (await import('./commands/budgets.ts')).createBudget(terminal, args),
      ),
      list: command('list', 'List budgets', { json }, async (terminal, args) =>
        (await import('./commands/budgets.ts')).listBudgets(terminal, args),
      ),
      show: command('show', 'Show a budget exactly', { id: id('Budget id'), json }, async (terminal, args) =>
        (await import('./commands/budgets.ts')).showBudget(terminal, args),
      ),
      update: command('update', 'Change limit or rules', budgetUpdateArguments, async (terminal, args) =>
        (await import('./commands/budgets.ts')).updateBudget(terminal, args),
      ),
      delete: command('delete', 'Delete a budget', { id: id('Budget id'), json }, async (terminal, args) =>
        (await import('./commands/budgets.ts')).deleteBudget(terminal, args),
      ),
    },
  }) as CommandDef,
  doctor: command('doctor', 'Check this machine, the config and every provider', { json }, async (terminal, args) =>
    (await import('./commands/doctor.ts')).doctor(terminal, args),
  ),
};

export const root: CommandDef = defineCommand({
  meta: { name: 'weir', version: version(), description: 'One batch file, many providers, an exact account' },
  subCommands,
}) as CommandDef;

import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { NamedRoute } from '../../../protocol/route.ts';
import { accountByTarget, type BatchLedger } from '../account.ts';
import { exitCodeOf, fetchLedger } from '../batch-report.ts';
import { countLines } from '../demo/lines.ts';
import { failedAttempts, imbalance, readOutputs } from '../demo/outcome.ts';
import { type DemoServer, demoInput, startDemoServer } from '../demo/server.ts';
import * as show from '../demo/show.ts';
import { type Share, sharesOf } from '../demo/split.ts';
import { EXIT, trouble } from '../exit.ts';
import { findEndpoint } from '../first-line.ts';
import { printableJson } from '../printable.ts';
import { createBatch, uploadFile } from '../send.ts';
import { note, print, type Terminal } from '../terminal.ts';
import { watchBatch } from '../watch.ts';

const ROUTE = 'demo';
const POLL_MS = 200;
const SENTENCE_MS = 2_000;
const DEADLINE_MS = 100_000;

interface Arguments {
  keep: boolean | undefined;
  json: boolean | undefined;
}

/** `weir demo`: the main job from start to end, over the public HTTP API, against sandbox providers. */
export async function demo(terminal: Terminal, args: Arguments): Promise<number> {
  const server = await startDemoServer();
  const isKept = args.keep === true;
  try {
    const exitCode = await run(terminal, server, args);
    if (isKept && exitCode !== EXIT.interrupted) await stayUp(terminal, server);
    return exitCode;
  } finally {
    await server.stop({ keepData: isKept });
  }
}

async function run(terminal: Terminal, server: DemoServer, args: Arguments): Promise<number> {
  const { api } = server;
  const { paint } = terminal.out;
  const say = async (lines: readonly string[]): Promise<void> => {
    if (args.json !== true) await print(terminal, lines.join('\n'));
  };
  const input = demoInput();
  const { size } = await stat(input);
  const lines = await countLines(input);
  const route = await api.get<NamedRoute>(`/v1/routes/${ROUTE}`);
  const facts = { url: api.url, file: basename(input), lines, bytes: size, shares: sharesOf(route, [], lines) };
  await say(show.layIntroduction(facts, paint));

  const fileId = await uploadFile(terminal, api, input, size);
  const endpoint = await findEndpoint(input);
  const window = 'immediate';
  const startedAt = terminal.now();
  const created = await createBatch(terminal, api, {
    input_file_id: fileId,
    endpoint,
    completion_window: window,
    config: ROUTE,
  });
  const { batch, isDetached } = await watchBatch(api, created.id, terminal, {
    pollMs: POLL_MS,
    sentenceMs: SENTENCE_MS,
    deadlineMs: DEADLINE_MS,
    async beside(running, width) {
      const shares = await currentShares(server, route, running.id, lines);
      return { lines: show.layTargets(shares, width, terminal.notes.paint), sentence: show.sayTargets(shares) };
    },
  });
  if (isDetached) {
    await note(terminal, 'Stopped before the end.');
    return EXIT.interrupted;
  }
  const seconds = (terminal.now() - startedAt) / 1000;
  const ledger = await fetchLedger(api, batch);
  if (ledger === null) throw trouble(`The batch did not run: ${batch.errors?.data[0]?.message ?? batch.status}`);
  const outputs = await readOutputs(api, batch, input);
  const failures = await failedAttempts(api, batch);
  const accounts = accountByTarget(ledger);
  const shares = sharesOf(route, accounts, lines);
  const problem = imbalance(batch, ledger, outputs);
  await say([
    show.sayEnd(batch, seconds),
    show.sayRetries(failures),
    '',
    `${paint.bold('Sample outputs, in input order')} ${paint.dim('(simulated providers answer with filler text)')}`,
    '',
    ...show.laySamples(outputs.samples, paint),
    paint.bold('Split'),
    '',
    ...show.laySplit(shares, paint),
    '',
    paint.bold('Ledger by target'),
    '',
    ...show.layLedger(accounts, batch, problem, paint),
    '',
    ...(await layAddresses(server, args.keep === true)),
  ]);
  if (args.json) {
    const document = {
      object: 'demo',
      batch,
      ledger,
      split: shares,
      failed_attempts: Object.fromEntries(failures),
      problem,
    };
    await print(terminal, printableJson(JSON.stringify(document, null, 2)));
  }
  return problem === null ? exitCodeOf(batch) : EXIT.trouble;
}

async function currentShares(server: DemoServer, route: NamedRoute, id: string, lines: number): Promise<Share[]> {
  const ledger = await server.api.get<BatchLedger>(`/v1/batches/${encodeURIComponent(id)}/ledger`);
  return sharesOf(route, accountByTarget(ledger), lines);
}

async function layAddresses({ api }: DemoServer, isKept: boolean): Promise<string[]> {
  const pages = [
    ['Dashboard', '/dashboard'],
    ['API docs', '/docs'],
    ['API', '/v1'],
  ] as const;
  const lines: string[] = [];
  for (const [name, path] of pages) {
    // A page that this version does not have yet is not offered.
    if (path === '/v1' || (await api.has(path))) lines.push(`${name.padEnd(10)} ${api.url}${path}`);
  }
  if (!isKept) lines.push('', 'The server stops now. To look around: npm run demo -- --keep');
  return lines;
}

async function stayUp(terminal: Terminal, server: DemoServer): Promise<void> {
  const stopping = Promise.withResolvers<void>();
  const restore = terminal.onInterrupt(() => stopping.resolve());
  const lines = [
    '',
    'The server stays up until Ctrl-C. In another terminal:',
    '',
    `  export WEIR_URL=${server.api.url}`,
    `  export WEIR_API_KEY=${server.adminKey}`,
    '  npx weir status',
    '',
    `The dashboard, ${server.api.url}/dashboard, takes that key too.`,
    '',
    `Its data is in ${server.dataDir}`,
  ];
  await note(terminal, lines.join('\n'));
  await stopping.promise;
  restore();
}

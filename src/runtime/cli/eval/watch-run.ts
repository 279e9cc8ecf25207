import { setTimeout as sleep } from 'node:timers/promises';
import type { BatchObject } from '../../../protocol/batch.ts';
import type { EvalRunObject } from '../../../protocol/eval-run.ts';
import type { Api } from '../api.ts';
import { CliError, EXIT } from '../exit.ts';
import { formatSeconds, formatShare, type Sum } from '../figures.ts';
import { Meter } from '../meter.ts';
import { printable } from '../printable.ts';
import { interruptOf, type Terminal } from '../terminal.ts';
import { layStanding, type Standing } from './standing.ts';

const POLL_MS = 300;
const POLL_MOST_MS = 2_000;
/** A server that restarts is waited for. */
const PATIENCE_MS = 120_000;

/** The address of a run. */
export function pathOfRun({ eval_id, id }: Pick<EvalRunObject, 'eval_id' | 'id'>): string {
  return `/v1/evals/${encodeURIComponent(eval_id)}/runs/${encodeURIComponent(id)}`;
}

export function runHasEnded({ status }: Pick<EvalRunObject, 'status'>): boolean {
  return status === 'completed' || status === 'failed' || status === 'canceled';
}

/** Shows how far each target of a run is until the run ends, or until Ctrl-C, which leaves it alone. Throws CliError. */
export async function watchRun(terminal: Terminal, api: Api, run: EvalRunObject): Promise<EvalRunObject> {
  const meter = new Meter(terminal);
  const interrupt = interruptOf(terminal);
  const startedAt = terminal.now();
  let answeredAt = startedAt;
  try {
    for (;;) {
      try {
        const now = await api.get<EvalRunObject>(pathOfRun(run));
        answeredAt = terminal.now();
        if (runHasEnded(now)) return now;
        const targets = await standingsOf(api, now);
        await meter.show(
          () => targets.map((target) => layStanding(target, meter.width, meter.screen.paint)),
          () => sayStandings(targets),
        );
      } catch (error) {
        const isSilent = error instanceof CliError && error.exitCode === EXIT.trouble;
        if (!isSilent || terminal.now() - answeredAt > PATIENCE_MS) throw error;
        const text = `No answer for ${formatSeconds((terminal.now() - answeredAt) / 1000)}; trying again`;
        await meter.show(
          () => [text],
          () => text,
        );
      }
      const pause = Math.min(POLL_MOST_MS, POLL_MS + (terminal.now() - startedAt) / 50);
      await sleep(pause, undefined, { signal: interrupt.signal }).catch(() => undefined);
      if (interrupt.signal.aborted) throw new CliError(EXIT.interrupted, `Stopped watching. ${howToShow(run)}`);
    }
  } finally {
    interrupt.end();
    await meter.clear();
  }
}

/** What to type to see the run later. */
export function howToShow(run: Pick<EvalRunObject, 'eval_id' | 'id'>): string {
  return `The run goes on without you. To see it: weir eval show ${printable(run.eval_id)} ${printable(run.id)}`;
}

/** Answers are counted in the target's batch while it runs, grades in the run. */
async function standingsOf(api: Api, run: EvalRunObject): Promise<Standing[]> {
  return Promise.all(
    run.targets.map(async (target) => {
      const { passed, failed, errored, total } = target.result_counts;
      const cost = sumOf(target.cost);
      const graded = { name: target.name, state: target.status, done: passed + failed + errored, total, cost };
      if (target.status !== 'sampling' || target.batch_id === null) return graded;
      const batch = await api.get<BatchObject>(`/v1/batches/${encodeURIComponent(target.batch_id)}`);
      const { completed, failed: refused, total: lines } = batch.request_counts;
      return { ...graded, done: completed + refused, total: lines, cost: sumOf(batch.cost) };
    }),
  );
}

function sumOf(cost: { amount_nano_usd: number; unpriced_entries: number } | undefined): Sum {
  return { nano: cost?.amount_nano_usd ?? 0, unpriced: cost?.unpriced_entries ?? 0 };
}

function sayStandings(targets: readonly Standing[]): string {
  const words = targets.map(
    ({ name, state, done, total }) => `${printable(name)} ${state} ${formatShare(done, total)}`,
  );
  return words.join(', ');
}

import { ApiError } from '../core/api-error.ts';
import { formatProblem } from '../core/problems.ts';
import { createApp, createParts } from '../http/app.ts';
import { FIRST_SWEEP, sweep } from '../services/sweep.ts';
import { StartError } from './problems.ts';
import type { ExecutionContext, WorkerBindings } from './worker/bindings.ts';
import { type Invocation, openInvocation } from './worker/invocation.ts';
import { withLength } from './worker/length.ts';
import { consoleLog } from './worker/log.ts';
import { cronRound, nudgedRound } from './worker/round.ts';
import { readSetup, type Setup } from './worker/setup.ts';

/** Bindings never change while an isolate lives. */
let setup: Setup | null = null;
let cursors = FIRST_SWEEP;

const report = (invocation: Invocation, what: string) => (error: unknown) =>
  invocation.deps.log.error({ err: error }, `${what} failed`);

/** Weir on Cloudflare Workers: HTTP requests, and a cron event every minute that does the background work. */
export default {
  async fetch(request: Request, bindings: WorkerBindings, context: ExecutionContext): Promise<Response> {
    let invocation: Invocation;
    try {
      setup ??= await readSetup(bindings);
      invocation = await openInvocation(setup, (own) =>
        context.waitUntil(nudgedRound(own).catch(report(own, 'background work'))),
      );
    } catch (error) {
      return refuse(error);
    }
    const { deps } = invocation;
    return withLength(await createApp(deps, createParts(deps, 'elsewhere')).fetch(request));
  },

  async scheduled(_event: unknown, bindings: WorkerBindings): Promise<void> {
    setup ??= await readSetup(bindings);
    const invocation = await openInvocation(setup, () => undefined);
    await cronRound(invocation).catch(report(invocation, 'background work'));
    if (invocation.calls.spent.aborted) return;
    cursors = await sweep(invocation.deps, cursors);
  },
};

/** What is wrong is for the operator alone, in the log. */
function refuse(error: unknown): Response {
  const fields = error instanceof StartError ? { problems: error.problems.map(formatProblem) } : { err: error };
  consoleLog('error').error(fields, 'cannot start');
  const message =
    error instanceof StartError
      ? 'This server is not configured yet: its log says what is missing.'
      : 'The database does not answer. Try again in a moment.';
  const answer = new ApiError(503, message, { code: 'not_ready' });
  return Response.json(answer.toEnvelope(), { status: answer.status, headers: { 'retry-after': '5' } });
}

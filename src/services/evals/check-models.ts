import { ApiError } from '../../core/api-error.ts';
import type { Grader } from '../../core/eval/grader.ts';
import type { Asker } from '../../core/eval/request.ts';
import { windowSeconds } from '../../core/window.ts';
import type { Actor, Deps } from '../../ports/deps.ts';
import type { RouteTrialInput } from '../../protocol/route-trial.ts';
import { tryRoute } from '../routes/try.ts';
import type { NewTarget } from './run-targets.ts';

interface Asked {
  graders: readonly Grader[];
  askers: readonly (Asker | null)[];
  targets: readonly NewTarget[];
  /** The request names its targets one by one. */
  many: boolean;
}

/**
 * Throws 400 for a target or a judge that nobody answers for: a run is to fail before it has paid for anything. A
 * line is tried by the code that a batch runs; nothing is sent.
 */
export async function checkModels(deps: Deps, actor: Actor, { graders, askers, targets, many }: Asked): Promise<void> {
  for (const [index, { spec }] of targets.entries()) {
    const where = many ? `targets[${index}]` : 'data_source';
    checkWindow(deps, spec.completion_window, many ? `${where}.completion_window` : 'completion_window');
    const asker = askers[index];
    if (asker == null) continue;
    const isChat = asker.endpoint === '/v1/chat/completions';
    const asks = isChat ? { messages: [{ role: 'user', content: 'x' }] } : { input: 'x' };
    const line = { url: asker.endpoint, body: { ...spec.sampling_params, model: spec.model, ...asks } };
    await tryLine(deps, actor, { line, config: spec.config }, `${where}.model`);
  }
  for (const [index, { asks }] of graders.entries()) {
    const where = `testing_criteria[${index}]`;
    for (const { at, model } of asks) {
      if (at.window !== undefined) checkWindow(deps, at.window, `${where}.completion_window`);
      const isChat = at.endpoint === '/v1/chat/completions';
      const content = isChat ? { messages: [{ role: 'user', content: 'x' }] } : { input: 'x' };
      const line = { url: at.endpoint, body: { model, ...content } };
      await tryLine(
        deps,
        actor,
        { line, config: at.config },
        `${where}.${at.config === undefined ? 'model' : 'config'}`,
      );
    }
  }
}

function checkWindow(deps: Deps, window: string, param: string): void {
  if (windowSeconds(window, deps.settings.immediateWindowSeconds) !== null) return;
  throw new ApiError(
    400,
    `Invalid '${param}': use 'immediate', or a number of minutes, hours or days up to 30 days, such as '24h'.`,
    { code: 'invalid_value', param },
  );
}

async function tryLine(deps: Deps, actor: Actor, input: RouteTrialInput, param: string): Promise<void> {
  const trial = await tryRoute(deps, { actor, newId: () => '', signal: new AbortController().signal }, input);
  if (trial.refused !== null) throw new ApiError(400, trial.refused.message, { code: trial.refused.code, param });
}

import { ApiError } from '../../core/api-error.ts';
import { GradeError } from '../../core/eval/grader.ts';
import { type Asker, compileAsker, type SampledEndpoint } from '../../core/eval/request.ts';
import type { EvalTargetRow, EvalTargetSpec } from '../../ports/store-evals.ts';
import type { EvalDataSource, EvalRunCreate, EvalTarget } from '../../protocol/eval-run.ts';

/** A target before its run has an id. */
export type NewTarget = Pick<EvalTargetRow, 'name' | 'spec'>;

/** A run's request whose targets are known one by one. */
export type RunInput = Omit<EvalRunCreate, 'targets'> & { targets?: EvalTarget[] | undefined };

type Sampled = Extract<EvalDataSource, { type: 'completions' | 'responses' }>;

/**
 * The targets of a new run, each with what it leaves out taken from the run; one without input messages where the rows
 * bring their answers. Throws 400.
 */
export function readTargets(input: RunInput): NewTarget[] {
  const { data_source: source, completion_window } = input;
  const isAsked =
    source.type !== 'jsonl' &&
    (source.input_messages != null || input.targets?.some((target) => target.input_messages !== undefined));
  if (source.type === 'jsonl' || !isAsked) {
    refuseAsking(input);
    return [{ name: source.type === 'jsonl' ? 'given' : (source.model ?? 'given'), spec: { completion_window } }];
  }
  const targets = (input.targets ?? [{}]).map((target, index) => toTarget(input, source, target, index));
  const names = new Set<string>();
  for (const [index, { name }] of targets.entries()) {
    if (names.has(name)) {
      throw refused(`targets[${index}].name`, `Two targets are called '${name}'. Give each a 'name' of its own.`);
    }
    names.add(name);
  }
  return targets;
}

function refuseAsking({ data_source: source, targets }: RunInput): void {
  if (targets !== undefined) {
    throw refused(
      'targets',
      "Targets are asked, and this data source says nothing to ask: use type 'completions' or 'responses' with 'input_messages'.",
    );
  }
  if (source.type !== 'jsonl' && (source.model != null || source.sampling_params != null)) {
    throw refused(
      'data_source.input_messages',
      "Missing 'data_source.input_messages': what the model is to be asked. Leave 'model' and 'sampling_params' out where the rows bring their answers as 'sample'.",
    );
  }
}

function toTarget(input: RunInput, source: Sampled, target: EvalTarget, index: number): NewTarget {
  const where = input.targets === undefined ? 'data_source' : `targets[${index}]`;
  const config = target.config ?? input.config ?? undefined;
  const route = typeof config === 'string' ? config : undefined;
  const model = target.model ?? source.model ?? route;
  if (model === undefined)
    throw refused(`${where}.model`, `Missing '${where}.model': a model, provider/model or a route.`);
  const messages = target.input_messages ?? source.input_messages ?? undefined;
  if (messages === undefined)
    throw refused(`${where}.input_messages`, `Missing '${where}.input_messages': what is to be asked.`);
  const spec: EvalTargetSpec = {
    model,
    input_messages: messages,
    sampling_params: { ...source.sampling_params, ...target.sampling_params },
    completion_window: target.completion_window ?? input.completion_window,
    ...(config !== undefined && { config }),
  };
  try {
    askerOf(source, spec);
  } catch (error) {
    if (!(error instanceof GradeError)) throw error;
    throw new ApiError(400, `Invalid '${where}.input_messages': ${error.message}.`, {
      code: error.code,
      param: `${where}.input_messages`,
    });
  }
  return { name: target.name ?? target.model ?? (target.config === undefined ? model : (route ?? model)), spec };
}

/** What a target asks; null for one whose rows bring their answers. Throws GradeError. */
export function askerOf(source: Pick<EvalDataSource, 'type'>, spec: EvalTargetSpec): Asker | null {
  if (spec.input_messages === undefined) return null;
  return compileAsker({
    endpoint: endpointOf(source),
    model: spec.model ?? '',
    input: spec.input_messages,
    params: spec.sampling_params ?? {},
  });
}

function endpointOf(source: Pick<EvalDataSource, 'type'>): SampledEndpoint {
  return source.type === 'responses' ? '/v1/responses' : '/v1/chat/completions';
}

function refused(param: string, message: string): ApiError {
  return new ApiError(400, message, { code: 'invalid_value', param });
}

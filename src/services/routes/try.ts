import { Buffer } from 'node:buffer';
import { ApiError } from '../../core/api-error.ts';
import { parseExact } from '../../core/exact-json.ts';
import { type Candidate, targetName } from '../../core/lane.ts';
import { applyParams } from '../../core/params.ts';
import { createLaneAssigner } from '../../core/routing.ts';
import { checkLine, parseRequestLine } from '../../core/validate-input.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import type { RequestLine } from '../../protocol/request-line.ts';
import type { RouteTrial, RouteTrialInput } from '../../protocol/route-trial.ts';
import { resolveFor } from '../models/resolve.ts';
import { resolveRoute } from './resolve.ts';

/**
 * Where a line would go and what each provider would be sent, by the code that a batch runs; nothing is sent. Throws 400
 * for a line or a route that a batch could not be made of.
 */
export async function tryRoute(deps: Deps, { actor }: Context, input: RouteTrialInput): Promise<RouteTrial> {
  const bytes = Buffer.from(JSON.stringify({ custom_id: 'try', method: 'POST', ...input.line }));
  const checked = checkLine(bytes, 1);
  if (checked.error) {
    const { code, message, param } = checked.error;
    throw new ApiError(400, message, { code, param: param === null ? 'line' : `line.${param}` });
  }
  const route = input.config == null ? null : (await resolveRoute(deps, actor, input.config)).route;
  const { model, endpoint } = checked.head;
  const query = { tenantId: actor.tenantId, batchRoute: route, metadata: input.metadata ?? null, models: [model] };
  const assigner = createLaneAssigner(await resolveFor(deps, query));
  const request = parseRequestLine(bytes);
  const number = assigner.assign({ model, endpoint, bytes: bytes.byteLength, body: request.body });
  const lane = assigner.lanes[number];
  if (lane === undefined || lane.kind === 'refuse') {
    const failure = lane?.failure;
    return {
      object: 'route.trial',
      targets: [],
      refused: { code: failure?.code ?? 'no_target', message: failure?.message ?? '' },
    };
  }
  const targets = lane.candidates.map((candidate, index) =>
    present(deps, request, candidate, index < lane.shared && lane.shared > 1),
  );
  return { object: 'route.trial', targets, refused: null };
}

function present(
  deps: Deps,
  request: RequestLine,
  candidate: Candidate,
  shared: boolean,
): RouteTrial['targets'][number] {
  const { provider, model, mode, weight, retry } = candidate;
  const body = applyParams(request.body, candidate.params);
  const converted = deps.providers.get(provider)?.convert({ ...request, body }, model);
  return {
    target: targetName(candidate),
    provider,
    model,
    mode,
    weight,
    shared,
    retries: retry.attempts,
    body: converted?.ok ? parseExact(converted.request.body) : null,
    warnings: converted?.ok ? [...converted.warnings] : [],
    refused: converted && !converted.ok ? { code: converted.failure.code, message: converted.failure.message } : null,
  };
}

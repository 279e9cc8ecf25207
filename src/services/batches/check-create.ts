import { ApiError } from '../../core/api-error.ts';
import { windowSeconds } from '../../core/window.ts';
import { unixSeconds } from '../../ports/clock.ts';
import type { Context, Deps } from '../../ports/deps.ts';
import { scopeOf } from '../../ports/deps.ts';
import type { FileRow } from '../../ports/store-files.ts';
import type { BatchCreate } from '../../protocol/batch.ts';
import { ENDPOINTS, type Endpoint, parseEndpoint } from '../../protocol/endpoint.ts';
import type { Route } from '../../protocol/route.ts';
import { resolveRoute } from '../routes/resolve.ts';

/** The body of a create, understood. */
export interface CheckedCreate {
  endpoint: Endpoint;
  /** The completion window. */
  seconds: number;
  file: FileRow;
  /** null when lines find their targets by model. */
  route: { route: Route; name: string } | null;
  /** Unix seconds. */
  now: number;
}

/** What can be told of a new batch at once: throws 400 for an unknown file, endpoint, window or route. */
export async function checkCreate(deps: Deps, context: Context, input: BatchCreate): Promise<CheckedCreate> {
  const endpoint = parseEndpoint(input.endpoint);
  if (!endpoint) {
    throw new ApiError(
      400,
      `Invalid value: '${input.endpoint.slice(0, 128)}'. Supported values are: ${ENDPOINTS.map((e) => `'${e}'`).join(', ')}.`,
      { code: 'invalid_value', param: 'endpoint' },
    );
  }
  const seconds = windowSeconds(input.completion_window, deps.settings.immediateWindowSeconds);
  if (seconds === null) {
    throw new ApiError(
      400,
      `Invalid value: '${input.completion_window.slice(0, 64)}'. Use 'immediate', or a number of minutes, hours or days up to 30 days, such as '24h'.`,
      { code: 'invalid_value', param: 'completion_window' },
    );
  }
  const now = unixSeconds(deps.clock);
  const named = input.config == null ? null : resolveRoute(deps, context.actor, input.config);
  // What is wrong with the file is told first.
  named?.catch(() => undefined);
  const file = await deps.store.files.get(scopeOf(context.actor), input.input_file_id);
  if (!file || (file.expiresAt !== null && file.expiresAt <= now)) {
    throw new ApiError(400, `No such File object: '${input.input_file_id.slice(0, 128)}'. Upload it first.`, {
      code: 'file_not_found',
      param: 'input_file_id',
    });
  }
  if (file.purpose !== 'batch' || file.planKey === null) {
    throw new ApiError(
      400,
      `File '${file.id}' has purpose '${file.purpose}'; a batch needs a file uploaded with purpose 'batch'.`,
      { code: 'invalid_file_purpose', param: 'input_file_id' },
    );
  }
  const route = await named;
  return { endpoint, seconds, file, route, now };
}

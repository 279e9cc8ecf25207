import { ApiError } from '../../core/api-error.ts';
import { formatProblems } from '../../core/problems.ts';
import { checkRoute } from '../../core/route-check.ts';
import type { Deps } from '../../ports/deps.ts';
import type { Route } from '../../protocol/route.ts';

const SHOWN_PROBLEMS = 10;

/** A routing config that this server can run. Throws 400 that names every problem with its path. */
export function validateRoute(deps: Pick<Deps, 'providers'>, config: unknown): Route {
  const checked = checkRoute(config, new Set(deps.providers.keys()));
  if (checked.ok) return checked.value;
  const { problems } = checked;
  const more = problems.length > SHOWN_PROBLEMS ? `; and ${problems.length - SHOWN_PROBLEMS} more` : '';
  const path = problems[0]?.path ?? '';
  throw new ApiError(400, `Invalid routing config: ${formatProblems(problems.slice(0, SHOWN_PROBLEMS))}${more}`, {
    code: 'invalid_route',
    param: path === '' ? 'config' : `config.${path}`,
  });
}

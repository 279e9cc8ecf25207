import type { Route } from '../protocol/route.ts';
import { scheduleSchema } from './batch-hours.ts';
import type { Candidate } from './lane.ts';
import { check, formatPath, type Path, type Problem } from './problems.ts';

const FIELDS = ['limits', 'schedule'] as const;

/** What a target's node says of its rates and hours. */
export function targetLimits({ limits, schedule }: Route): Pick<Candidate, 'limits' | 'schedule'> {
  return {
    ...(limits !== undefined && {
      limits: {
        requestsPerMinute: limits.requests_per_minute ?? null,
        tokensPerMinute: limits.tokens_per_minute ?? null,
      },
    }),
    ...(schedule !== undefined && { schedule: scheduleSchema.parse(schedule) }),
  };
}

/** What is wrong with a target's rates and hours, beyond their shape. */
export function limitProblems({ limits, schedule }: Route, path: Path): Problem[] {
  const problems: Problem[] = [];
  if (limits !== undefined && Object.keys(limits).length === 0) {
    const message = 'says nothing: give `requests_per_minute`, `tokens_per_minute` or both';
    problems.push({ path: formatPath([...path, 'limits']), message });
  }
  const hours = schedule === undefined ? null : check(scheduleSchema, schedule, [...path, 'schedule']);
  return hours === null || hours.ok ? problems : [...problems, ...hours.problems];
}

/** They hold where requests are sent: at a group they could mean each of its targets, or all of them. */
export function misplacedLimits(node: Route): readonly string[] {
  return FIELDS.filter((field) => node[field] !== undefined);
}

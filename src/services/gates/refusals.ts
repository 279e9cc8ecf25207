import { type Failure, refusal } from '../../core/failure.ts';

/** What a call is told that is not admitted. None of these reached the provider. */

/** `reason`: why the last request failed. */
export function nobodyAnswers(provider: string, reason: string): Failure {
  const message = `${provider}: nothing answers there at the moment (${reason}).`;
  const failure = refusal('connection', 'connection_error', message);
  return { ...failure, type: 'server_error' };
}

/** `retryAfterMs`: when there may be room, null when that is not known. */
export function noRoom(provider: string, retryAfterMs: number | null): Failure {
  const message = `${provider} has no room for more requests at the moment. Try again later.`;
  return { ...refusal('overloaded', 'overloaded', message), type: 'server_error', retryAfterMs };
}

/** `waitMs`: until the rate that the route states lets the target be called. */
export function rateReached(target: string, waitMs: number): Failure {
  const message = `The rate that the route allows ${target} is reached. Try again in ${Math.ceil(waitMs / 1000)} s.`;
  return { ...refusal('rate_limited', 'rate_limit_exceeded', message), type: 'server_error', retryAfterMs: waitMs };
}

export function clientGone(): Failure {
  return {
    ...refusal('interrupted', 'interrupted', 'The request was given up before it was sent.'),
    type: 'request_error',
  };
}

export function stopping(): Failure {
  const message = 'The server is stopping. Try again in a moment.';
  return { ...refusal('overloaded', 'server_stopping', message), type: 'server_error', retryAfterMs: 1_000 };
}

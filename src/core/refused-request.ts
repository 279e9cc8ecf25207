/**
 * A request that was found invalid when its batch came in by a front door that answers for it later, as a result. It is a
 * line of the batch like any other, with a model that nothing serves, and fails there with the words found for it.
 */
import { type Failure, refusal } from './failure.ts';
import { type Fields, fieldsOf } from './fields.ts';

/** No route, and no provider's model, has such a name. */
export const REFUSED_MODEL = 'weir:refused';

const REFUSED_CODE = 'request_refused';

/** The body of a chat completion that fails with `message`. */
export function refusedBody(message: string): Fields {
  return { model: REFUSED_MODEL, messages: [], refused: { message } };
}

/** What every such request fails with, until its body is looked at. */
export function refusedFailure(): Failure {
  return refusal('invalid_request', REFUSED_CODE, 'The request is not valid.');
}

/** The failure of one line of a lane that fails with `failure`. */
export function ownFailure(failure: Failure, body: Fields): Failure {
  const { message } = fieldsOf(body.refused);
  return failure.code === REFUSED_CODE && typeof message === 'string' ? { ...failure, message } : failure;
}

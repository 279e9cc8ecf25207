import { type Failure, refusal } from '../../src/core/failure.ts';

/** Leaves a conversion from any depth; `convert` turns it into the failure. Never leaves the folder. */
export class Refused extends Error {
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

/** What the model cannot express. */
export function unsupported(param: string, message: string, code = 'unsupported_parameter'): Refused {
  return new Refused(refusal('unsupported', code, message, param));
}

/** What is wrong whoever serves it. */
export function invalid(param: string, message: string): Refused {
  return new Refused(refusal('invalid_request', 'invalid_value', message, param));
}

import { type Failure, type FailureKind, refusal } from '../../src/core/failure.ts';

/** Leaves a conversion from anywhere inside it; `convert` turns it into its answer. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

/** Refuses a parameter that the provider cannot express. */
export function unsupported(param: string, message: string): never {
  throw refused('unsupported', 'unsupported_parameter', param, message);
}

/** Refuses a parameter that is wrong in itself. */
export function invalid(param: string, message: string): never {
  throw refused('invalid_request', 'invalid_value', param, message);
}

function refused(kind: FailureKind, code: string, param: string, message: string): Refused {
  return new Refused(refusal(kind, code, message, param));
}

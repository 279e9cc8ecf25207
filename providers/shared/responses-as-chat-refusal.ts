import { type Failure, refusal } from '../../src/core/failure.ts';

export type Fields = Readonly<Record<string, unknown>>;

/** Ends a mapping to chat from any depth. */
export class ChatRefusal extends Error {
  override readonly name = 'ChatRefusal';
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

/** Refuses what chat completions cannot express. */
export function refuseForChat(param: string, message: string): never {
  throw new ChatRefusal(refusal('unsupported', 'unsupported_parameter', message, param));
}

/** Refuses what is wrong in the endpoint's own terms. */
export function refuseWrong(param: string, message: string): never {
  throw new ChatRefusal(refusal('invalid_request', 'invalid_value', message, param));
}

/** Copies a member of the request; `__proto__`, which no endpoint knows, would set the prototype instead. */
export function copyMember(chat: Record<string, unknown>, name: string, value: unknown): void {
  if (name === '__proto__') refuseForChat(name, `The parameter '${name}' is not known.`);
  chat[name] = value;
}

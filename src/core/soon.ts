/**
 * A value that is at hand, or on its way. What happens for every call awaits only what is on its way: awaiting what is
 * there costs a promise and a turn of the microtask queue.
 */
export type Soon<Value> = Value | Promise<Value>;

/** What `next` makes of a value: at once where it is at hand. */
export function whenThere<Value, Next>(soon: Soon<Value>, next: (value: Value) => Soon<Next>): Soon<Next> {
  return soon instanceof Promise ? soon.then(next) : next(soon);
}

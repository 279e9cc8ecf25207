const KEPT_MAX = 1_000;

/** `of` with its answers kept: a batch names few models, each on many lines. `of` must go by the name alone. */
export function remembered<T>(of: (name: string) => T): (name: string) => T {
  const known = new Map<string, { answer: T }>();
  return (name) => {
    const found = known.get(name);
    if (found !== undefined) return found.answer;
    const answer = of(name);
    if (known.size === KEPT_MAX) known.clear();
    known.set(name, { answer });
    return answer;
  };
}

/** Which methods a path answers, whatever router the app uses. */
export interface RouteTable {
  /** In alphabetical order; empty when no route has the path. HEAD comes with GET. */
  methods(path: string): string[];
}

/** `routes` is read once, at the first question: after that the app takes no new routes. */
export function createRouteTable(routes: () => readonly { method: string; path: string }[]): RouteTable {
  let patterns: { method: string; pattern: RegExp }[] | null = null;
  return {
    methods(path) {
      patterns ??= routes()
        .filter((route) => route.method !== 'ALL')
        .map((route) => ({ method: route.method, pattern: toPattern(route.path) }));
      const methods = new Set(patterns.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method));
      if (methods.has('GET')) methods.add('HEAD');
      return [...methods].sort();
    },
  };
}

function toPattern(path: string): RegExp {
  const steps = path.split('/').map((step) => {
    // `:name`, or `:name{pattern}` for one of its own, which may take slashes in.
    if (step.startsWith(':')) return /\{(.+)\}$/.exec(step)?.[1] ?? '[^/]+';
    if (step === '*') return '.*';
    return step.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  });
  return new RegExp(`^${steps.join('/')}$`);
}

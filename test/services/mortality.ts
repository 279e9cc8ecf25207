/** What a killed process answers to everything. */
class Killed extends Error {}

/** Counts calls; at the chosen one (half-steps: before, after) the process is dead, and stays so. */
export class Mortality {
  passed = 0;
  dead = false;
  private readonly at: number;
  constructor(at: number) {
    this.at = at;
  }

  wrap<T extends object>(target: T, names: readonly string[]): T {
    return new Proxy(target, {
      get: (object, name) => {
        const value: unknown = Reflect.get(object, name);
        if (typeof value !== 'function') return value;
        const method = value as (...args: unknown[]) => unknown;
        if (!names.includes(String(name))) {
          return (...args: unknown[]) => {
            if (this.dead) return Promise.reject(new Killed());
            return method.apply(object, args);
          };
        }
        return async (...args: unknown[]) => {
          this.step();
          const result = await method.apply(object, args);
          this.step();
          return result;
        };
      },
    });
  }

  private step(): void {
    if (this.passed++ === this.at) this.dead = true;
    if (this.dead) throw new Killed();
  }
}

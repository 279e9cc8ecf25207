import { afterEach, describe, expect, it } from 'vitest';
import type { Call, Provider } from '../../../providers/contract.ts';
import type { Served } from '../../../src/core/member-health.ts';
import type { Deps } from '../../../src/ports/deps.ts';
import type { HttpClient } from '../../../src/ports/http-client.ts';
import { DEFAULT_SETTINGS } from '../../../src/ports/settings.ts';
import { Budgets } from '../../../src/services/gates/budgets.ts';
import { ProviderGate } from '../../../src/services/gates/gate.ts';

interface Server {
  up: boolean;
  root: string;
  /** Resolves its health checks, where they are to be late. */
  hangs?: ((isWell: boolean) => void)[];
}

describe('the members of a pool', () => {
  const gates: ProviderGate[] = [];
  afterEach(() => {
    for (const gate of gates.splice(0)) gate.close();
  });

  function open() {
    const servers: Record<string, Server> = {
      a: { up: true, root: 'org/m' },
      b: { up: true, root: 'org/m' },
      c: { up: true, root: 'org/m' },
    };
    const time = { ms: 1_000_000 };
    const at = ({ member }: Call): Server => servers[member]!;
    const provider = {
      name: 'pool',
      models: null,
      limits: { concurrency: 30, requestsPerMinute: null, tokensPerMinute: null, adaptive: false },
      immediate: {
        members: Object.keys(servers),
        healthy: async (call: Call) => {
          const { hangs, up } = at(call);
          return hangs === undefined ? up : new Promise<boolean>((resolve) => hangs.push(resolve));
        },
        served: async (call: Call): Promise<Served[] | null> =>
          at(call).up ? [{ id: 'm', root: at(call).root }] : null,
      },
    } as unknown as Provider;
    const deps = {
      // Who waits for a moment waits for what is asked to be answered, which takes no time here.
      clock: {
        now: () => time.ms,
        micros: () => time.ms * 1_000,
        sleep: () => new Promise((wake) => setTimeout(wake, 5)),
      },
      random: { unit: () => 0.5 },
      settings: DEFAULT_SETTINGS,
    } as unknown as Deps;
    const gate = new ProviderGate(deps, provider, new Budgets(provider.limits, time.ms));
    gates.push(gate);
    /** The members' states after each look, one every two seconds. */
    const look = async (times: number): Promise<string[]> => {
      const seen = [];
      for (let look = 0; look < times; look++) {
        await gate.inspect({} as HttpClient, new AbortController().signal);
        seen.push(
          gate
            .figures()
            .members.map(({ health }) => health)
            .join(),
        );
        time.ms += 2_000;
      }
      return seen;
    };
    return { servers, look, gate };
  }

  it('take no requests when they come back with another model, not even for a moment', async () => {
    const { servers, look } = open();
    await look(1);
    servers.b!.up = false;
    expect((await look(20)).at(-1)).toBe('healthy,unhealthy,healthy');
    Object.assign(servers.b!, { up: true, root: 'org/another' });
    const after = await look(15);
    expect(after.at(-1)).toBe('healthy,wrong_model,healthy');
    expect(after).not.toContain('healthy,healthy,healthy');
    servers.b!.root = 'org/m';
    expect((await look(15)).at(-1)).toBe('healthy,healthy,healthy');
  });

  it('fail one check when they hang once, however often they would have been asked meanwhile', async () => {
    const { servers, look, gate } = open();
    await look(1);
    servers.b!.hangs = [];
    await look(20);
    for (const resolve of servers.b!.hangs.splice(0)) resolve(false);
    await new Promise((wake) => setTimeout(wake, 5));
    expect(gate.figures().members.map(({ health }) => health)).toEqual(['healthy', 'healthy', 'healthy']);
  });
});

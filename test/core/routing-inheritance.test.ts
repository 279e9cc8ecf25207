import { describe, expect, it } from 'vitest';
import { DEFAULT_RETRY } from '../../src/core/route-steps.ts';
import { assigner, laneOf, show } from './routing-lanes.ts';

describe('what targets inherit', () => {
  it('is the nearest retry, timeout and mode, and all parameters', () => {
    const config = {
      strategy: { mode: 'fallback' },
      retry: { attempts: 1, on_status_codes: [500] },
      request_timeout: 1_000,
      mode: 'batch',
      default_params: { a: 1, b: 1 },
      override_params: { c: 1 },
      drop_params: ['x'],
      targets: [
        {
          provider: 'a',
          model: 'x',
          retry: { attempts: 2 },
          request_timeout: 5,
          mode: 'immediate',
          default_params: { b: 2 },
          override_params: { c: 2, d: 2 },
          drop_params: ['y'],
        },
        { provider: 'b', model: 'y' },
      ],
    };
    const lane = laneOf(assigner(config));
    expect(lane.kind === 'run' && lane.candidates).toEqual([
      {
        provider: 'a',
        model: 'x',
        weight: 1,
        enterOn: 'any',
        mode: 'immediate',
        requestTimeoutMs: 5,
        retry: { attempts: 2, onStatusCodes: DEFAULT_RETRY.onStatusCodes, useRetryAfter: true },
        params: { defaults: { a: 1, b: 2 }, overrides: { c: 2, d: 2 }, drops: ['x', 'y'] },
      },
      {
        provider: 'b',
        model: 'y',
        weight: 1,
        enterOn: 'any',
        mode: 'batch',
        requestTimeoutMs: 1_000,
        retry: { attempts: 1, onStatusCodes: [500], useRetryAfter: true },
        params: { defaults: { a: 1, b: 1 }, overrides: { c: 1 }, drops: ['x'] },
      },
    ]);
  });

  it('is three retries on the usual codes when nothing is said', () => {
    expect(laneOf(assigner({ provider: 'a' }))).toMatchObject({
      candidates: [{ retry: { attempts: 3, onStatusCodes: DEFAULT_RETRY.onStatusCodes }, mode: 'auto' }],
    });
  });

  it('takes the model from the target, an override, or the line', () => {
    expect(show(laneOf(assigner({ provider: '@a', model: 'x' })))).toBe('a/x');
    expect(show(laneOf(assigner({ model: '@b/org/y' })))).toBe('b/org/y');
    const overridden = laneOf(assigner({ provider: 'a', model: 'x', override_params: { model: 'z', top_p: 1 } }));
    expect(show(overridden)).toBe('a/z');
    expect(overridden).toMatchObject({ candidates: [{ params: { overrides: { top_p: 1 } } }] });
    expect(show(laneOf(assigner({ provider: 'c' }), { model: 'whatever/it/is' }))).toBe('c/whatever/it/is');
    expect(show(laneOf(assigner({ override_params: { top_p: 1 } }), { model: 'm' }))).toBe('a/m');
  });
});

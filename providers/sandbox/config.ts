import { z } from 'zod';
import { commonSettings } from '../shared/settings.ts';
import { changeSettings, InvalidSettings, type Settings } from './servers/settings.ts';

/** The simulated server's own options (servers/settings.ts) beside what every provider has. */
export const sandboxSettings = z.looseObject(commonSettings).transform((entry, context) => {
  const { kind: _kind, limits, price: _price, schedule: _schedule, account: _account, ...options } = entry;
  const server = readOptions(options, context);
  return server === null ? z.NEVER : { limits, server };
});

export type SandboxSettings = z.infer<typeof sandboxSettings>;

function readOptions(options: unknown, context: z.RefinementCtx): Settings | null {
  try {
    return changeSettings(options);
  } catch (error) {
    if (!(error instanceof InvalidSettings)) throw error;
    context.addIssue({ code: 'custom', message: error.message });
    return null;
  }
}

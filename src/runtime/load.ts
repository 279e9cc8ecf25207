import type { Kinds } from '../../providers/contract-kind.ts';
import type { Problem } from '../core/problems.ts';
import { type Config, readConfig } from './config.ts';
import type { Environment } from './env.ts';
import { StartError } from './problems.ts';
import { readServerOptions, type ServerOptions } from './settings.ts';

export const DEFAULT_CONFIG_PATH = 'config/weir.yaml';

export interface LoadOptions {
  environment: Environment;
  kinds: Kinds;
  /** The text of a file; null when there is none. */
  readText: (path: string) => Promise<string | null>;
}

export interface Loaded {
  options: ServerOptions;
  config: Config;
  /** What the config was read from, `${…}` as it stands there. */
  text: string;
}

/** Reads the environment and the config file. Throws StartError with everything that is wrong in both. */
export async function loadConfig({ environment, kinds, readText }: LoadOptions): Promise<Loaded> {
  const options = readServerOptions(environment);
  const asked = environment.WEIR_CONFIG || null;
  const path = asked ?? DEFAULT_CONFIG_PATH;
  const text = await readText(path);
  if (text === null && asked !== null) {
    const problem = { path: 'WEIR_CONFIG', message: 'there is no such file, or it cannot be read' };
    throw new StartError([...(options.ok ? [] : options.problems), problem]);
  }
  const config = await readConfig(text ?? '', { environment, kinds });
  if (options.ok && config.ok) return { options: options.value, config: config.value, text: text ?? '' };
  throw new StartError([
    ...(options.ok ? [] : options.problems),
    ...(config.ok ? [] : config.problems.map((problem) => inFile(path, problem))),
  ]);
}

function inFile(file: string, problem: Problem): Problem {
  return { ...problem, path: problem.path === '' ? file : `${file}: ${problem.path}` };
}

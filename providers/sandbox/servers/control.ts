import { countersAsJson } from './counters.ts';
import { InvalidSettings } from './settings.ts';
import type { ServerState } from './state.ts';

/** A status and a JSON value to answer with. */
interface ControlAnswer {
  status: number;
  body: unknown;
}

/** Answers `/__control/<action>`, by which another process reads and steers the server. */
export function control(state: ServerState, method: string, action: string, rawBody: string): ControlAnswer {
  switch (`${method} ${action}`) {
    case 'GET counters':
      return { status: 200, body: countersAsJson(state.counters) };
    case 'GET requests':
      return { status: 200, body: { data: state.log } };
    case 'GET settings':
      return { status: 200, body: settingsShown(state) };
    case 'POST configure':
      return configure(state, rawBody);
    case 'POST reset':
      state.reset();
      return { status: 200, body: countersAsJson(state.counters) };
    default:
      return failure(
        404,
        `No control action '${method} ${action}'; there are GET counters, requests, settings and POST configure, reset.`,
      );
  }
}

function configure(state: ServerState, rawBody: string): ControlAnswer {
  try {
    state.configure(JSON.parse(rawBody));
    return { status: 200, body: settingsShown(state) };
  } catch (error) {
    if (error instanceof InvalidSettings) return failure(400, error.message);
    if (error instanceof SyntaxError) return failure(400, 'The body must be a JSON object of options.');
    throw error;
  }
}

function settingsShown({ settings }: ServerState) {
  return { ...settings, api_key: settings.api_key === null ? null : '…' };
}

function failure(status: number, message: string): ControlAnswer {
  return { status, body: { error: { message, type: 'invalid_request_error', param: null, code: null } } };
}

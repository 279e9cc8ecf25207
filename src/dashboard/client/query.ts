import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { ApiFailure, get } from './api.ts';

export interface Query<T> {
  /** The last answer; stays while a newer one is fetched, and when that fails. */
  data: T | null;
  failure: ApiFailure | null;
  isLoading: boolean;
  reload(): void;
}

/** Answers by path, so that going back shows at once what was there. */
const answers = new Map<string, unknown>();
const ANSWERS_MAX = 60;
/** A slow answer is asked for less often: the server spends at most this share of its time on one open page. */
const BUSY_SHARE = 0.1;

export function forgetAnswers(): void {
  answers.clear();
}

/**
 * The answer of a GET, kept fresh: again after `everyMs` while the page is visible, and when `version` changes. A null
 * path asks for nothing.
 */
export function useQuery<T>(
  path: string | null,
  options: { everyMs?: number | null; version?: unknown } = {},
): Query<T> {
  const { everyMs = null, version } = options;
  const [state, setState] = useState<{ path: string | null; data: T | null; failure: ApiFailure | null }>(() => ({
    path,
    data: known<T>(path),
    failure: null,
  }));
  const [round, setRound] = useState(0);
  const reload = useCallback(() => setRound((count) => count + 1), []);
  const period = useRef(everyMs);
  period.current = everyMs;

  useEffect(() => {
    if (path === null) return;
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ask = async (): Promise<void> => {
      const startedAt = performance.now();
      try {
        const data = await get<T>(path, abort.signal);
        remember(path, data);
        setState({ path, data, failure: null });
      } catch (error) {
        if (abort.signal.aborted) return;
        const failure = error instanceof ApiFailure ? error : new ApiFailure(0, String(error));
        setState((old) => ({ path, data: old.path === path ? old.data : known<T>(path), failure }));
      }
      if (period.current === null || abort.signal.aborted) return;
      const pause = Math.max(period.current, (performance.now() - startedAt) / BUSY_SHARE);
      timer = setTimeout(again, pause);
    };
    const again = (): void => {
      if (document.hidden) timer = setTimeout(again, period.current ?? 1000);
      else void ask();
    };
    void ask();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [path, version, round, everyMs === null]);

  const current = state.path === path ? state : { data: known<T>(path), failure: null };
  const isLoading = path !== null && current.data === null && current.failure === null;
  return { data: current.data, failure: current.failure, isLoading, reload };
}

function known<T>(path: string | null): T | null {
  return path === null ? null : ((answers.get(path) as T | undefined) ?? null);
}

function remember(path: string, data: unknown): void {
  answers.delete(path);
  answers.set(path, data);
  const oldest = answers.keys().next();
  if (answers.size > ANSWERS_MAX && !oldest.done) answers.delete(oldest.value);
}

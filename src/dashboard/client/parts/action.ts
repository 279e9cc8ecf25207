import type { ComponentChildren, VNode } from 'preact';
import { useState } from 'preact/hooks';
import { ApiFailure } from '../api.ts';
import { html } from '../html.ts';

/** Runs something that may fail, with what went wrong kept for showing. */
export function useAction(): {
  run: (action: () => Promise<unknown>) => Promise<boolean>;
  isBusy: boolean;
  failure: ApiFailure | null;
  clear: () => void;
} {
  const [isBusy, setBusy] = useState(false);
  const [failure, setFailure] = useState<ApiFailure | null>(null);
  return {
    isBusy,
    failure,
    clear: () => setFailure(null),
    async run(action) {
      setBusy(true);
      setFailure(null);
      try {
        await action();
        return true;
      } catch (error) {
        setFailure(error instanceof ApiFailure ? error : new ApiFailure(0, String(error)));
        return false;
      } finally {
        setBusy(false);
      }
    },
  };
}

export function Button({
  onClick,
  kind = '',
  isBusy = false,
  children,
}: {
  onClick: () => void;
  kind?: string;
  isBusy?: boolean;
  children?: ComponentChildren;
}): VNode {
  return html`<button type="button" class=${`button ${kind}`} disabled=${isBusy} onClick=${onClick}>${children}</button>`;
}

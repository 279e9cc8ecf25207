import type { Deps } from '../../ports/deps.ts';
import { FileMissing } from '../../ports/files.ts';
import { onUnreadable } from './on-unreadable.ts';

/**
 * The same services, to which what the disk cannot read counts as gone: for who has waited for it long enough, or goes on
 * with what is known from elsewhere.
 */
export function givenUp<Some extends Pick<Deps, 'files'>>(deps: Some): Some {
  return onUnreadable(deps, (key) => new FileMissing(key));
}

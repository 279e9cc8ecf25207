import type { Deps } from '../../ports/deps.ts';
import { FileMissing, FileUnreadable } from '../../ports/files.ts';

/**
 * The same services, to which what the disk cannot read counts as gone: for who has waited for it long enough, or goes on
 * with what is known from elsewhere.
 */
export function givenUp<Some extends Pick<Deps, 'files'>>(deps: Some): Some {
  const { files } = deps;
  return {
    ...deps,
    files: {
      ...files,
      async readRange(key, range, into) {
        try {
          return await files.readRange(key, range, into);
        } catch (error) {
          throw error instanceof FileUnreadable ? new FileMissing(key) : error;
        }
      },
    },
  };
}

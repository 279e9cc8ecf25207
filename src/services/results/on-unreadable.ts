import type { Deps } from '../../ports/deps.ts';
import { FileUnreadable } from '../../ports/files.ts';

/** The same services, whose reads of a range reject with another error where the disk cannot read what it has. */
export function onUnreadable<Some extends Pick<Deps, 'files'>>(
  deps: Some,
  told: (key: string, error: FileUnreadable) => Error,
): Some {
  const { files } = deps;
  return {
    ...deps,
    files: {
      ...files,
      async readRange(key, range, into) {
        try {
          return await files.readRange(key, range, into);
        } catch (error) {
          throw error instanceof FileUnreadable ? told(key, error) : error;
        }
      },
    },
  };
}

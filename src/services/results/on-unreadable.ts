import type { Deps } from '../../ports/deps.ts';
import { type ByteRange, FileUnreadable } from '../../ports/files.ts';

/**
 * The same services, whose reads of a range reject with another error where the disk cannot read what it has. `worked` is
 * told of those that do not.
 */
export function onUnreadable<Some extends Pick<Deps, 'files'>>(
  deps: Some,
  told: (key: string, error: FileUnreadable, range: ByteRange) => Error,
  worked?: (key: string, range: ByteRange) => void,
): Some {
  const { files } = deps;
  return {
    ...deps,
    files: {
      ...files,
      async readRange(key, range, into) {
        try {
          const bytes = await files.readRange(key, range, into);
          worked?.(key, range);
          return bytes;
        } catch (error) {
          throw error instanceof FileUnreadable ? told(key, error, range) : error;
        }
      },
    },
  };
}

/** Variables of the environment, for glibc. */
export const ALLOCATOR: Readonly<Record<string, string>>;
/** Flags of Node.js. */
export const FLAGS: readonly string[];

/** The tenant of keys for which none is named, and of the operator's own admin key. */
export const DEFAULT_TENANT = 'default';

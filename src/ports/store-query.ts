/** Newest first by default; `after` is the id of the last row seen and may name a deleted row of the same tenant. */
export interface ListQuery {
  limit: number;
  after?: string | undefined;
  order?: 'asc' | 'desc' | undefined;
}

/** Whose rows may be seen: one tenant's, or everyone's (an administrator looking up an id). */
export type Scope = { tenantId: string } | 'all';

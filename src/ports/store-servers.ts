/** Who else works on this database. Times are Unix seconds. */
export interface StoreServers {
  /** Says that server `id` is there, and forgets those that were not since `forgetBefore`. */
  announce(id: string, now: number, forgetBefore: number): Promise<void>;
  /** How many servers said so since `since`. */
  count(since: number): Promise<number>;
  /** Says that it is there no more. */
  leave(id: string): Promise<void>;
}

/** What file system and database say when there is no room, or none within the quota. */
const NO_SPACE = /ENOSPC|EDQUOT|database or disk is full/;
/** Errors that were wrapped more often tell no cause. */
const CAUSES_MAX = 4;

/** Whether an error, or one that caused it, says that a disk is full. */
export function isNoSpace(error: unknown): boolean {
  let each = error;
  for (let depth = 0; each instanceof Error && depth < CAUSES_MAX; depth++) {
    if (NO_SPACE.test(each.message)) return true;
    each = each.cause;
  }
  return false;
}

/** The memory of a database thread that has little to do. Plain JavaScript, as thread.js is. */
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** What a start leaves is given back while the rest of the server starts. */
const FIRST_LOOK_MS = 100;
const LOOK_MS = 500;
/**
 * Processor time between two looks, as a part of it: an idle server's questions for due work take a third of that. Orders
 * are no measure, as one may carry hundreds of entries.
 */
const RESTING_PART = 0.01;
/** Less is not worth the hundredth of a second that it takes. */
const WORTH_BYTES = 1024 ** 2;

/**
 * Collects all garbage of this thread after its start, and whenever it rests after its heap has grown, and gives that memory
 * back to the system: of what a start takes nearly a third is garbage, and what is young grows with work and stays. While it
 * works, to do that again and again would take a good part of what the work takes.
 */
export function giveBackAtRest() {
  let kept = 0;
  let usage = process.threadCpuUsage();
  let lookedAt = performance.now();
  const giveBack = () => {
    if (getHeapStatistics().total_heap_size < kept + WORTH_BYTES || !collect()) return;
    kept = getHeapStatistics().total_heap_size;
  };
  const look = () => {
    const { user, system } = process.threadCpuUsage(usage);
    if ((user + system) / 1000 < RESTING_PART * (performance.now() - lookedAt)) giveBack();
    // What the collection took is no work.
    usage = process.threadCpuUsage();
    lookedAt = performance.now();
  };
  setTimeout(giveBack, FIRST_LOOK_MS).unref();
  setInterval(look, LOOK_MS).unref();
}

/** False where another thread was at the same and took the function away: the next look will do. */
function collect() {
  // Set for a moment only: what is compiled meanwhile would be kept apart from the rest.
  setFlagsFromString('--expose-gc');
  let collectGarbage;
  try {
    collectGarbage = runInNewContext('gc');
  } catch {
    return false;
  } finally {
    setFlagsFromString('--no-expose-gc');
  }
  collectGarbage({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  return true;
}

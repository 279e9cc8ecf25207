/** The memory of a database thread that has little to do. Plain JavaScript, as thread.js is. */
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** What a start leaves is given back while the rest of the server starts. */
const FIRST_LOOK_MS = 100;
const LOOK_MS = 500;
/** An idle server asks for due work once a second. */
const RESTING_ORDERS = 25;
/** Less is not worth the hundredth of a second that it takes. */
const WORTH_BYTES = 1024 ** 2;

/**
 * Collects all garbage of this thread whenever it rests after its heap has grown, and gives that memory back to the
 * system: of what a start takes nearly a third is garbage, and what is young grows with work and stays. `orders` says how
 * many there were so far.
 */
export function giveBackAtRest(orders) {
  let seen = 0;
  let kept = 0;
  const look = () => {
    const resting = orders() - seen < RESTING_ORDERS;
    seen = orders();
    if (!resting || getHeapStatistics().total_heap_size < kept + WORTH_BYTES || !collect()) return;
    kept = getHeapStatistics().total_heap_size;
  };
  setTimeout(look, FIRST_LOOK_MS).unref();
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

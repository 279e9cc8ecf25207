const LOOK_MS = 250;
/** On a machine that has no time for anybody, fewer looks fit into a minute: they are counted, not the time. */
const ROUNDS = 60_000 / LOOK_MS;

/** Looks again, each time after a pause, until `look` finds nothing wrong. Throws with what still is after so many looks. */
export async function untilRight(
  look: (round: number) => readonly string[] | Promise<readonly string[]>,
  pauseMs = LOOK_MS,
): Promise<void> {
  for (let round = 0; ; round++) {
    const wrongs = await look(round);
    if (wrongs.length === 0) return;
    if (round > ROUNDS) throw new Error(wrongs.join('; '));
    await new Promise((wake) => setTimeout(wake, pauseMs));
  }
}

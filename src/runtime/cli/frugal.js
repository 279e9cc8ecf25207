/** What only a start can set, for a server; launch.js says when. Plain JavaScript, as launch.js is. */
import * as os from 'node:os';

/**
 * With two heaps for all its threads instead of eight for each processor, which give back what is free at their ends and
 * large pieces at once, glibc takes a quarter less of memory.
 */
export const ALLOCATOR = { MALLOC_ARENA_MAX: '2', MALLOC_TRIM_THRESHOLD_: '131072', MALLOC_MMAP_THRESHOLD_: '131072' };

export const FLAGS = [
  // No half of the young generation is larger, whatever comes between two looks of young-generation.ts.
  '--max-semi-space-size=16',
  // Each thread would map the built-in functions once more, beside its own code: 2 MB for calls that are no faster here.
  '--no-short-builtin-calls',
];
// Two processors have enough to do: helpers for what is young take some 8 MB, and save a batch no time that shows.
if (os.availableParallelism?.() <= 2) FLAGS.push('--no-parallel-scavenge');

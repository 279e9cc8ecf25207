/** Where a synced file is, and is to be. `base`: real path of the folder that no object may lie outside of. */
export interface Move {
  base: string;
  from: string;
  to: string;
}

/** A function of node:fs with its arguments. What it gives, or throws, is given or thrown to the generator. */
type PlaceStep =
  | ['mkdir', path: string, options: { recursive: true }]
  | ['realpath', path: string]
  | ['rename', from: string, to: string]
  | ['open', path: string, flags: number]
  | ['fsync' | 'close', file: number];

export function placeSteps(move: Move): Generator<PlaceStep, void, unknown>;

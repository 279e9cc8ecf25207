/** Randomness, injected so that decisions can be replayed. */
export interface Random {
  /** Uniform in [0, 1): jitter only. */
  unit(): number;
  /** `length` bytes fit for secrets and unguessable ids. */
  bytes(length: number): Uint8Array;
}

/**
 * Frees the whole memory that `bytes` lie in, of which nobody may use anything any more: left to the garbage collector,
 * much would pile up before it comes by.
 */
export function giveBack(bytes: Uint8Array): void {
  if (bytes.buffer instanceof ArrayBuffer) bytes.buffer.transfer(0);
}

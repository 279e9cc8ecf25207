import type { ServerResponse } from 'node:http';
import { z } from 'zod';
import { splitIntoPieces } from './text.ts';

/** How a simulated service sends what it streams, and what goes wrong meanwhile. */
export const streamSettings = z.strictObject({
  /** Pause before each frame, in milliseconds. */
  pause_ms: z.int().min(0).default(0),
  /** Writes hold so many bytes, wherever that cuts a frame; null writes frame by frame. */
  write_bytes: z.int().positive().nullable().default(null),
  /**
   * What comes in place of the frame with the number `fault_at`: half of it before a reset, a clean end, an error of the
   * service's own, a frame with a wrong byte in it, or nothing at all.
   */
  fault: z.enum(['cut', 'end', 'error', 'corrupt', 'hang']).nullable().default(null),
  fault_at: z.int().min(0).default(0),
  /** The service's own name for the error; null takes its usual one. */
  error_name: z.string().nullable().default(null),
});

export type StreamSettings = z.infer<typeof streamSettings>;

export const usualStream: StreamSettings = streamSettings.parse({});

/** The frames of one stream. `error`: the frame that states an error. `onEnd`: told whether all of it went out. */
export interface StreamFrames {
  type: string;
  headers: Record<string, string>;
  frames: readonly Uint8Array[];
  error: Uint8Array;
  onEnd?(isWhole: boolean): void;
}

/** Sends a stream under status 200, as well or as badly as the settings say; stops when the client leaves. */
export async function sendFrames(
  response: ServerResponse,
  { type, headers, frames, error, onEnd }: StreamFrames,
  settings: StreamSettings,
): Promise<void> {
  const { pause_ms: pause, write_bytes: size, fault, fault_at: faultAt } = settings;
  response.on('close', () => onEnd?.(response.writableFinished));
  response.writeHead(200, { 'content-type': type, ...headers });
  response.flushHeaders();
  for (const [index, frame] of frames.entries()) {
    if (pause > 0) await new Promise((wake) => setTimeout(wake, pause));
    if (response.destroyed) return;
    if (fault !== null && index === faultAt) {
      if (fault === 'hang') return;
      if (fault === 'cut') {
        response.write(frame.subarray(0, Math.ceil(frame.length / 2)), () => response.destroy());
        return;
      }
      if (fault === 'end' || fault === 'error') break;
      const spoilt = Uint8Array.from(frame);
      // Neither JSON nor a checksum holds with a byte of control in the middle.
      spoilt[Math.floor(frame.length / 2)] = 1;
      await write(response, spoilt, size);
    } else await write(response, frame, size);
  }
  if (fault === 'error' && faultAt < frames.length) await write(response, error, size);
  response.end();
}

async function write(response: ServerResponse, frame: Uint8Array, size: number | null): Promise<void> {
  for (let start = 0; start < frame.length && !response.destroyed; start += size ?? frame.length) {
    response.write(frame.subarray(start, start + (size ?? frame.length)));
    // Each write becomes a packet of its own, as far as that can be had.
    if (size !== null) await new Promise((wake) => setImmediate(wake));
  }
}

/** A server-sent event as a frame. */
export function sseFrame(name: string | null, data: object): Uint8Array {
  return Buffer.from(`${name === null ? '' : `event: ${name}\n`}data: ${JSON.stringify(data)}\n\n`);
}

/** The text in pieces; an empty one is one piece. */
export function textPieces(text: string): string[] {
  return text === '' ? [''] : splitIntoPieces(text);
}

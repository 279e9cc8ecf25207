/** One server-sent event (WHATWG HTML, "Server-sent events"). */
export interface SseEvent {
  /** Its name; null when it has none. */
  event: string | null;
  data: string;
}

const eventEnd = /\r\n\r\n|\n\n|\r\r/;
const lineEnd = /\r\n|\n|\r/;

/** Cuts a stream of text into server-sent events. Comments, ids and events without data are left out. */
export class SseReader {
  private rest = '';
  private readonly maxLength: number;

  /** An event longer than `maxLength` characters makes `push` throw a RangeError. */
  constructor(maxLength: number) {
    this.maxLength = maxLength;
  }

  /** The events that end in `text`, with what came before. */
  push(text: string): SseEvent[] {
    this.rest += text;
    const events: SseEvent[] = [];
    for (let end = eventEnd.exec(this.rest); end !== null; end = eventEnd.exec(this.rest)) {
      const event = readEvent(this.rest.slice(0, end.index));
      this.rest = this.rest.slice(end.index + end[0].length);
      if (event !== null) events.push(event);
    }
    if (this.rest.length > this.maxLength) throw new RangeError('an event of the stream is too long');
    return events;
  }

  /** The last event of a stream that ended without the blank line behind it. */
  end(): SseEvent | null {
    const event = readEvent(this.rest);
    this.rest = '';
    return event;
  }
}

function readEvent(block: string): SseEvent | null {
  let event: string | null = null;
  const data: string[] = [];
  for (const line of block.split(lineEnd)) {
    if (line.startsWith('data:')) data.push(line.slice(line[5] === ' ' ? 6 : 5));
    else if (line.startsWith('event:')) event = line.slice(6).trim();
  }
  return data.length === 0 ? null : { event, data: data.join('\n') };
}

/** An event as it goes over the wire. `data` is one line. */
export function sseText({ event, data }: SseEvent): string {
  return event === null ? `data: ${data}\n\n` : `event: ${event}\ndata: ${data}\n\n`;
}

/** What ends a stream of chat completions or completions. */
export const SSE_DONE = 'data: [DONE]\n\n';

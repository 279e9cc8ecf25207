/** Marks text for a terminal; without colours it changes nothing. */
export interface Paint {
  bold(text: string): string;
  dim(text: string): string;
  good(text: string): string;
  bad(text: string): string;
  warn(text: string): string;
  accent(text: string): string;
}

const plain = (text: string): string => text;

function code(on: number, off: number): (text: string) => string {
  return (text) => (text === '' ? '' : `\x1b[${on}m${text}\x1b[${off}m`);
}

export const PLAIN: Paint = { bold: plain, dim: plain, good: plain, bad: plain, warn: plain, accent: plain };

export const COLOURED: Paint = {
  bold: code(1, 22),
  dim: code(2, 22),
  good: code(32, 39),
  bad: code(31, 39),
  warn: code(33, 39),
  accent: code(36, 39),
};

/** Colours only on a terminal that has them, and never against NO_COLOR (https://no-color.org). */
export function choosePaint(isTty: boolean, environment: Readonly<Record<string, string | undefined>>): Paint {
  const refused = (environment.NO_COLOR ?? '') !== '' || environment.TERM === 'dumb';
  return isTty && !refused ? COLOURED : PLAIN;
}

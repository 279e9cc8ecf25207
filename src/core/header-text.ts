const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** As fetch: what is in Latin-1 and no control character. */
const UNSENDABLE = /[^\t\x20-\x7e\x80-\xff]/;

/** Whether a text can be the name of a header (RFC 9110, section 5.6.2). */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/** Whether a text can be sent as the value of a header: it begins no header of its own. */
export function isHeaderValue(text: string): boolean {
  return !UNSENDABLE.test(text);
}

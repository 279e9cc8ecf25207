/** A multipart form with one file. */
export interface UploadForm {
  file: Buffer | null;
  filename: string;
  fields: Map<string, string>;
}

/** Reads a multipart form; null when it is none, or has no end. */
export function readForm(contentType: string, raw: Buffer): UploadForm | null {
  const boundary = /boundary="?([^";]+)"?/.exec(contentType)?.[1];
  if (boundary === undefined) return null;
  const form: UploadForm = { file: null, filename: '', fields: new Map() };
  const mark = Buffer.from(`--${boundary}`);
  let at = raw.indexOf(mark);
  while (at >= 0) {
    const start = at + mark.length;
    if (raw.toString('latin1', start, start + 2) === '--') return form;
    const headEnd = raw.indexOf('\r\n\r\n', start);
    const next = raw.indexOf(`\r\n--${boundary}`, headEnd < 0 ? start : headEnd + 2);
    if (headEnd < 0 || next < 0) return null;
    addPart(form, raw.toString('utf8', start, headEnd), raw.subarray(headEnd + 4, next));
    at = next + 2;
  }
  return null;
}

function addPart(form: UploadForm, head: string, content: Buffer): void {
  const name = /\bname="([^"]*)"/.exec(head)?.[1] ?? '';
  const filename = /\bfilename="([^"]*)"/.exec(head)?.[1];
  if (filename === undefined) {
    form.fields.set(name, content.toString());
    return;
  }
  form.file = Buffer.from(content);
  form.filename = filename;
}

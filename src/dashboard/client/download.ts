import { call } from './api.ts';

/**
 * Saves an answer as a file. The browser fetches a link by itself and streams it to disk; where it does not vouch for
 * the link's origin (plain HTTP on another machine than this), the page fetches it with its own header.
 */
export async function download(path: string, name: string): Promise<void> {
  if (isSecureContext) {
    save(path, name);
    return;
  }
  const blob = await (await call('GET', path)).blob();
  const url = URL.createObjectURL(blob);
  save(url, name);
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

function save(href: string, name: string): void {
  const link = document.createElement('a');
  link.href = href;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
}

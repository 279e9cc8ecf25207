import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What tests write goes to one folder that is removed after the run, though their processes are ended by signals. */
export default function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'weir-tests-'));
  process.env.TMPDIR = folder;
  return () => rmSync(folder, { recursive: true, force: true });
}

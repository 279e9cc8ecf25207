#!/usr/bin/env node
// Plain JavaScript, so that a Node.js that cannot read TypeScript can still say so.
import * as nodeModule from 'node:module';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { ALLOCATOR, FLAGS } from './frugal.js';

/** Starts this process anew with what only a start can set: same process id, same streams. What the operator set stays as it is. */
function startFrugally() {
  const { argv, execArgv, execPath, env, platform } = process;
  const isSet = 'MALLOC_ARENA_MAX' in env || process.channel !== undefined;
  if (platform !== 'linux' || isSet || argv[2] !== 'serve' || process.execve === undefined) return;
  process.execve(execPath, [execPath, ...FLAGS, ...execArgv, ...argv.slice(1)], { ...ALLOCATOR, ...env });
}

startFrugally();
// The young generation of a server grows with its work, as far as that needs (young-generation.ts), and not with its start.
const isServer = process.argv[2] === 'serve';
const growLittle = () => isServer && setFlagsFromString('--semi-space-growth-factor=1');
growLittle();
// Garbage is collected before the heap has grown by a third, which keeps a batch some 10 MB smaller than at a half.
setFlagsFromString('--heap-growing-percent=30');
// Where most of what a place in the code makes outlives a moment, V8 makes all of it old at once and never changes its mind:
// a batch that waits for its first answers teaches it so of what every later request makes. Half of what grew old was that.
setFlagsFromString('--no-allocation-site-pretenuring');
// Compiled code is kept beside the packages: a start takes half the time and 40 MB less, as no TypeScript is read again.
// What only the next start would gain is written in time, for a process that is killed writes nothing. After the flags: they
// are part of the name of its folder, which the process's threads look for when all are set.
nodeModule.enableCompileCache?.(fileURLToPath(new URL('../../../node_modules/.cache/weir', import.meta.url)));
setTimeout(() => {
  // The next start takes it only if it was written under the flags that it has itself.
  growLittle();
  nodeModule.flushCompileCache?.();
}, 10_000).unref();

try {
  await import('../cli.ts');
} catch (error) {
  if (error?.code !== 'ERR_UNKNOWN_FILE_EXTENSION') throw error;
  process.stderr.write(
    `weir: this Node.js (${process.versions.node}) is too old to read TypeScript. ` +
      'Inside the project, npx weir and npm run bring a newer one; elsewhere, install Node.js 24.\n',
  );
  process.exitCode = 3;
}

#!/usr/bin/env node
import { main } from './cli/main.ts';
import { processTerminal } from './cli/terminal.ts';
import { nodeProblem } from './cli/version.ts';

const problem = nodeProblem(process.versions.node);
if (problem === null) process.exitCode = await main(process.argv.slice(2), processTerminal());
else {
  process.stderr.write(`weir: ${problem}\n`);
  process.exitCode = 3;
}

import { writeCommonjsEntries } from './commonjs-entries.mjs'
import { runNode } from './programs.mjs'
import { removeStaleOutput } from './stale-output.mjs'
import { Advice, inRoot } from './workspace.mjs'

const tsc = inRoot('node_modules/typescript/bin/tsc')

/** Compiles every project that tsconfig.json refers to; what is up to date is left alone. */
export async function compile(args = []) {
  await check(['-b', ...args])
  if (args.includes('--clean')) return
  removeStaleOutput()
  writeCommonjsEntries()
}

/** Checks the types of a project that is not compiled to dist/. */
export async function checkTypes(project) {
  await check(['--noEmit', '-p', inRoot(project)])
}

async function check(args) {
  const code = await runNode(tsc, args)
  if (code !== 0) throw new Advice(`tsc ${args.join(' ')} failed with exit code ${code}; its output is above`)
}

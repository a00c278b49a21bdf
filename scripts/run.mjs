#!/usr/bin/env node
// The root scripts of package.json: node scripts/run.mjs <command> [arguments]
//
// Each works from a fresh clone on a machine with nothing but Node.js and npm: it installs the dependencies, builds,
// finds a Redis where one is needed, runs the command with the arguments, and exits with its exit code.
import { parseCommand } from './commands.mjs'
import { Advice, lowestNode, say } from './workspace.mjs'

async function main([name, ...args]) {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major < lowestNode[0] || (major === lowestNode[0] && minor < lowestNode[1])) {
    throw new Advice(`Node.js ${lowestNode.join('.')} or later is needed; this is ${process.versions.node}`)
  }
  const command = parseCommand(name)
  // pnpm hands the `--` of `pnpm test -- --reporter=dot` on, npm does not.
  return await command(args[0] === '--' ? args.slice(1) : args)
}

try {
  process.exit(await main(process.argv.slice(2)))
} catch (error) {
  if (!(error instanceof Advice)) throw error
  say(error.message)
  process.exit(1)
}

import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The project's root directory. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** A path inside the project. */
export const inRoot = (...parts) => join(root, ...parts)

const manifest = JSON.parse(readFileSync(inRoot('package.json'), 'utf8'))

/** The version that package.json pins: 'pnpm@10.1.2+sha512.…' gives '10.1.2'. */
export const pnpmVersion = /^pnpm@(\d+\.\d+\.\d+)/.exec(manifest.packageManager)[1]

/** The lowest Node.js that the project runs on, as [major, minor]. */
export const lowestNode = /(\d+)\.(\d+)/.exec(manifest.engines.node).slice(1).map(Number)

/** One line of our own among the output of the tools that we run. */
export const say = (line) => console.error(`poolmq: ${line}`)

/** An error that is the user's to mend: run.mjs prints its message without a stack. */
export class Advice extends Error {}

// A job on real input: SHA-256, lines, and bytes before and after brotli of every .js and .ts file under the directories that are given
// (node_modules when none is), by a pool whose worker processes are recycled, checked against the same job done here.
//
//   node examples/dist/tree-hash.js                              worker processes on this machine
//   node examples/dist/tree-hash.js --processes 4 ./somewhere
//   POOL_NAME=tree REDIS_URL=… node examples/dist/tree-hash.js   whatever workers serve the pool `tree`, on any host that has
//                                                                the files: poolmq worker --pool tree examples/dist/tree-tasks.js
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Pool } from '@poolmq/client'
import { ProgressMeter } from './progress-meter.js'
import { sourceFiles } from './source-files.js'
import { tally } from './tally.js'
import { type TreeRun, treeReport } from './tree-report.js'
import { type FileDigest, tree } from './tree-tasks.js'

const usage =
  'usage: tree-hash [--processes N] [--chunk-size N] [--max-tasks-per-child N] [--repeat N] [directory…]\n' +
  '  --repeat N   take every file N times, for a longer job'

const name = process.env.POOL_NAME
const options = readOptions()
const paths = options.directories.flatMap((directory) => [...sourceFiles(directory)])
if (paths.length === 0) {
  console.error(`There are no .js or .ts files under ${options.directories.join(', ')}`)
  process.exit(1)
}
const input = Array.from({ length: options.repeat }, () => paths).flat()

const where = name === undefined ? `${options.processes} processes` : `the workers of the pool ${name}`
console.log(`Hashing ${input.length} files under ${options.directories.join(', ')} on ${where}`)
const parallel = await runInPool()
const sequential = await runHere()
console.log(treeReport(parallel, sequential, options))

const differences = compare(parallel.digests, sequential.digests)
for (const difference of differences.slice(0, 20)) console.error(difference)
console.log(
  `Results equal the sequential run: ${differences.length === 0 ? 'yes' : `no, ${differences.length} differ`}`,
)
process.exitCode = differences.length === 0 ? 0 : 1

async function runInPool(): Promise<TreeRun> {
  const { processes, chunkSize, maxTasksPerChild } = options
  await using pool = new Pool({
    ...(name === undefined ? {} : { name }),
    processes,
    maxTasksPerChild,
    initializer: tree.init,
    initArgs: ['tree-hash'],
  })
  const meter = new ProgressMeter(input.length, 'files')
  const digests: FileDigest[] = []
  const started = performance.now()
  try {
    for await (const digest of pool.imapUnordered(tree.digest, input, { chunkSize })) {
      digests.push(digest)
      meter.advance()
    }
  } finally {
    meter.stop()
  }
  const milliseconds = performance.now() - started
  pool.close()
  await pool.join()
  return { digests, milliseconds }
}

/** The same job without a pool: a task is a function, and can be called as one. */
async function runHere(): Promise<TreeRun> {
  const digests: FileDigest[] = []
  const started = performance.now()
  for (const path of input) digests.push(await tree.digest(path))
  return { digests, milliseconds: performance.now() - started }
}

/** A line for each finding that the two runs do not have equally often. */
function compare(results: readonly FileDigest[], expected: readonly FileDigest[]): string[] {
  const [inPool, here] = [tally(results, finding), tally(expected, finding)]
  return [...new Set([...inPool.keys(), ...here.keys()])]
    .filter((key) => inPool.get(key) !== here.get(key))
    .map((key) => `${key}: ${inPool.get(key) ?? 0} times from the pool, ${here.get(key) ?? 0} times sequentially`)
}

function finding({ path, sha256, lines, bytes, compressed }: FileDigest): string {
  return JSON.stringify({ path, sha256, lines, bytes, compressed })
}

function readOptions() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        processes: { type: 'string', default: String(name === undefined ? Math.max(2, availableParallelism()) : 0) },
        'chunk-size': { type: 'string', default: '16' },
        'max-tasks-per-child': { type: 'string', default: '40' },
        repeat: { type: 'string', default: '1' },
      },
    })
    const installed = fileURLToPath(new URL('../../node_modules', import.meta.url))
    const directories = (positionals.length === 0 ? [installed] : positionals).map((directory) => resolve(directory))
    const missing = directories.find((directory) => !existsSync(directory))
    if (missing !== undefined) throw new Error(`${missing} does not exist`)
    return {
      directories,
      processes: wholeNumber('--processes', values.processes, name === undefined ? 1 : 0),
      chunkSize: wholeNumber('--chunk-size', values['chunk-size'], 1),
      maxTasksPerChild: wholeNumber('--max-tasks-per-child', values['max-tasks-per-child'], 1),
      repeat: wholeNumber('--repeat', values.repeat, 1),
    }
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`)
    return process.exit(2)
  }
}

function wholeNumber(option: string, text: string, least: number): number {
  const number = Number(text)
  if (!/^\d+$/.test(text) || number < least)
    throw new Error(`${option} must be a whole number from ${least} on, got ${text}`)
  return number
}

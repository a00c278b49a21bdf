/** The files of the projects: the example of the README as it stands there, and its like for other module systems. */
import { readFileSync } from 'node:fs'

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')

/** The code block of the README that begins with the file's name. */
function fromReadme(name: string): string {
  const block = readme
    .split('```')
    .filter((_, index) => index % 2 === 1)
    .find((text) => text.startsWith(`ts\n// ${name}`))
  if (block === undefined) throw new Error(`the README has no ${name}`)
  return block.slice('ts\n'.length)
}

export const example = { 'tasks.ts': fromReadme('tasks.ts'), 'main.ts': fromReadme('main.ts') }
export const exampleSays = /\[ 1, 4, 9 \][\s\S]*\[ 5, 13 \][\s\S]*17[\s\S]*false \[ 16, 25, 36 \][\s\S]*49/

/** For runtimes that take TypeScript under its own name only. */
export const withTsEndings = {
  ...example,
  'main.ts': example['main.ts'].replace("'./tasks.js'", "'./tasks.ts'"),
}

export const esm = {
  'tasks.js': `import { defineTasks } from '@poolmq/client'
export const math = defineTasks(import.meta.url, 'math', { square: (x) => x * x })
`,
  'main.js': `import { Pool } from '@poolmq/client'
import { math } from './tasks.js'
const pool = new Pool(2)
console.log(await pool.map(math.square, [1, 2, 3]))
pool.close()
await pool.join()
`,
}

export const commonjs = {
  'tasks.js': `const { defineTasks } = require('@poolmq/client')
exports.math = defineTasks(__filename, 'math', { square: (x) => x * x })
`,
  'main.js': `const { Pool } = require('@poolmq/client')
const { math } = require('./tasks.js')
async function main() {
  const pool = new Pool(2)
  console.log(await pool.map(math.square, [1, 2, 3]))
  pool.close()
  await pool.join()
}
main()
`,
}

export const commonjsTypeScript = {
  'tasks.ts': `import { defineTasks } from '@poolmq/client'
export const math = defineTasks(__filename, 'math', { square: (x: number) => x * x })
`,
  'main.ts': `import { Pool, PoolError, type PoolOptions } from '@poolmq/client'
import { math } from './tasks'
const options: PoolOptions = { processes: 2 }
async function main(): Promise<void> {
  const pool = new Pool(options)
  const squares: number[] = await pool.map(math.square, [1, 2, 3])
  console.log(squares)
  pool.close()
  await pool.join()
}
main().catch((error: unknown) => console.log(error instanceof PoolError ? error.code : error))
`,
}

/** Says what it squares, unless a worker imports it. */
export const guarded = {
  'tasks.ts': example['tasks.ts'],
  'single.ts': `import { isWorker, Pool } from '@poolmq/client'
import { math } from './tasks.js'
async function main() {
  const pool = new Pool(2)
  console.log(await pool.map(math.square, [1, 2, 3]))
  pool.close()
  await pool.join()
}
if (!isWorker()) void main()
`,
}

/** The test kit, with the runner that Node.js has. */
const kit = `test('the test kit', async () => {
  const inline = new InlinePool(2)
  assert.deepEqual(await inline.map(math.square, [1, 2, 3]), [1, 4, 9])
  await inline.terminate()
  assert.equal(await runTask(math.square, [3]), 9)
  const pool = await testPool({ connection: process.env.REDIS_URL })
  const killed = pool.faults.killAtItem(1)
  assert.deepEqual(await pool.map(math.square, [1, 2, 3], 1), [1, 4, 9])
  assert.ok((await killed) > 0)
  await pool.terminate()
})
`

export const kitOfModules = {
  'tasks.js': esm['tasks.js'],
  'kit.test.js': `import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InlinePool, runTask, testPool } from '@poolmq/client/testing'
import { math } from './tasks.js'
${kit}`,
}

export const kitOfCommonJs = {
  'tasks.js': commonjs['tasks.js'],
  'kit.test.js': `const assert = require('node:assert/strict')
const { test } = require('node:test')
const { InlinePool, runTask, testPool } = require('@poolmq/client/testing')
const { math } = require('./tasks.js')
${kit}`,
}

export const squares = /\[ 1, 4, 9 \]/

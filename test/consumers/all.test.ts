// Every set-up, as a table. Part of `npm run consumers`, not of `npm test`.
import { writeSync } from 'node:fs'
import Table from 'cli-table3'
import { afterAll, describe, inject, test } from 'vitest'
import { consume } from './consumer.js'
import { NoRegistry, Projects } from './project.js'
import { setups } from './setups.js'

const projects = new Projects()
const ownNode = process.versions.node.split('.')[0] as string
const rows = setups.flatMap((setup) => (setup.node ?? [ownNode]).map((node) => ({ setup, node, verdict: 'not run' })))

afterAll(() => {
  const table = new Table({ head: ['set-up', 'Node.js', 'installer', 'result'], style: { head: [], border: [] } })
  for (const { setup, node, verdict } of rows) table.push([setup.name, node, setup.installer ?? 'npm', verdict])
  writeSync(1, `\n${table.toString()}\n`)
  projects[Symbol.dispose]()
}, 300_000)

describe('consumers', () => {
  const titled = rows.map((row) => [`${row.setup.name}, Node.js ${row.node}`, row] as const)
  test.concurrent.for(titled)('%s', { timeout: 600_000 }, async ([, row], { skip }) => {
    const { setup, node } = row
    const reason = setup.leftOut?.()
    if (reason !== undefined) {
      row.verdict = `left out: ${reason}`
      return
    }
    const started = performance.now()
    row.verdict = 'FAILED'
    // Without a server of its own to start, the embedded Redis is no option.
    const redisUrl = setup.redis === true || inject('redisProgram') === '' ? inject('redisUrl') : undefined
    try {
      await consume(projects, setup, node, redisUrl)
    } catch (error) {
      if (!(error instanceof NoRegistry)) throw error
      row.verdict = `left out: ${error.message}`
      return skip(error.message)
    }
    row.verdict = `${setup.fails === true ? 'the error says what to do' : 'works'}, ${Math.round((performance.now() - started) / 1000)} s`
  })
})

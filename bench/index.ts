/**
 * `npm run bench [-- NAME…]`: runs the workloads of those names, or all, and prints the table of their figures with the
 * goals and the verdicts. The samples go to bench/results/ as JSON lines.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { Arena } from './harness/arena.js'
import { provideRedis } from './harness/redis-server.js'
import { updateReport } from './harness/report.js'
import type { Row } from './harness/row.js'
import { terminalTable } from './harness/table.js'
import type { Workload } from './harness/workload.js'
import { workloads } from './workloads/index.js'

const usage = `usage: npm run bench -- [options] [NAME…]

${workloads.map(({ name, title }) => `  ${name.padEnd(16)} ${title}`).join('\n')}

options:
  --rounds N       rounds of each workload (default 5)
  --peers A,B      only these contestants, besides poolmq; the others are reported as absent
  --quick          tiny sizes, one round: shows that it works, not how fast
  --json FILE      where the JSON lines go (default bench/results/latest.jsonl)
  --report         also renews the figures of docs/performance.md
`

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: 'string' },
      peers: { type: 'string' },
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      report: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const rounds = values.quick ? 1 : Number(values.rounds ?? 5)
  const unknown = positionals.filter((name) => !workloads.some((workload) => workload.name === name))
  if (values.help || unknown.length > 0 || !(rounds >= 1)) {
    process.stderr.write(usage)
    return values.help ? 0 : 2
  }
  const chosen = workloads.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
  const redis = await provideRedis()
  try {
    const say = (line: string) => process.stderr.write(`bench: ${line}\n`)
    const peers = values.peers === undefined ? undefined : new Set(['poolmq', ...values.peers.split(',')])
    const arena = new Arena({ rounds, peers, redisUrl: redis.url, say })
    const rows = await play(chosen, arena, values.quick)
    writeLines(values.json, rows)
    if (values.report)
      updateReport(
        rows,
        workloads.map(({ name }) => name),
      )
    process.stdout.write(`${terminalTable(rows)}\n`)
    return 0
  } finally {
    await redis.stop()
  }
}

async function play(chosen: readonly Workload[], arena: Arena, quick: boolean): Promise<Row[]> {
  const rows: Row[] = []
  for (const workload of chosen) {
    arena.say(workload.title)
    rows.push(...(await workload.run(arena, quick ? 'quick' : 'full')))
  }
  return rows
}

function writeLines(file: string | undefined, rows: readonly Row[]): void {
  const directory = new URL('../results/', import.meta.url)
  if (file === undefined) mkdirSync(directory, { recursive: true })
  const lines = rows.map((row) => `${JSON.stringify(row)}\n`).join('')
  writeFileSync(file ?? new URL('latest.jsonl', directory), lines)
}

process.exitCode = await main()

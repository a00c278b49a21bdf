// Every figure of a benchmark comes out, tiny and once; nothing is said about time.
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, inject, test } from 'vitest'

const program = fileURLToPath(new URL('../../bench/dist/index.js', import.meta.url))
const run = promisify(execFile)

interface Row {
  readonly workload: string
  readonly peer: string
  readonly ours: { readonly median: number }
  readonly theirs?: { readonly median: number }
  readonly ratio?: { readonly median: number }
  readonly verdict: string
}

/** Milliseconds; a quick run starts some twenty processes, one after the other. */
const limit = 240_000

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'poolmq-bench-smoke-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

async function bench(...args: string[]): Promise<{ table: string; rows: Row[] }> {
  const file = join(directory, 'rows.jsonl')
  const env = { ...process.env, REDIS_URL: inject('redisUrl') }
  const { stdout } = await run(process.execPath, [program, '--quick', '--json', file, ...args], {
    env,
    timeout: limit,
  })
  const lines = (await readFile(file, 'utf8')).trim().split('\n')
  return { table: stdout, rows: lines.map((line) => JSON.parse(line) as Row) }
}

test('a quick run gives a figure and a ratio for each peer that is there, and names those that are not', {
  timeout: limit + 30_000,
}, async () => {
  const { table, rows } = await bench('--peers', 'ioredis,tinypool', 'map-default', 'map-chunk-1', 'payloads')
  for (const row of rows) {
    expect(row.ours.median, row.peer).toBeGreaterThan(0)
    if (row.verdict === 'absent') expect(row.theirs, row.peer).toBeUndefined()
    else expect(row.ratio?.median, row.peer).toBeGreaterThan(0)
  }
  const verdictOf = (workload: string, peer: string) =>
    rows.find((row) => row.workload === workload && row.peer === peer)?.verdict
  expect(verdictOf('map-default', 'ioredis floor')).toBe('no goal')
  expect(verdictOf('map-chunk-1', 'tinypool')).toBe('no goal')
  expect(verdictOf('payloads', 'ioredis floor')).toMatch(/^(met|missed)$/)
  expect(verdictOf('map-chunk-1', 'celery group')).toBe('absent')
  expect(table).toContain('absent: left out by --peers')
})

test('a quick run measures memory and what Redis does', { timeout: limit + 30_000 }, async () => {
  const { rows } = await bench('--peers', 'ioredis', 'imap-memory', 'redis-cost')
  const measured = rows.filter(({ verdict }) => verdict !== 'absent')
  expect(new Set(measured.map(({ workload }) => workload))).toEqual(new Set(['imap-memory', 'redis-cost']))
  for (const row of measured) expect(row.ours.median, row.workload).toBeGreaterThan(0)
})

test('a quick run measures work that waits: time, first result, memory of all processes', {
  timeout: limit + 30_000,
}, async () => {
  const { rows } = await bench('--peers', 'p-map', 'io', 'http')
  expect(new Set(rows.map(({ workload }) => workload))).toEqual(new Set(['io', 'http']))
  for (const row of rows) expect(row.ours.median, row.peer).toBeGreaterThan(0)
  const beside = rows.filter(({ peer }) => peer === 'p-map')
  expect(beside).toHaveLength(3)
  for (const row of beside) expect(row.ratio?.median, row.workload).toBeGreaterThan(0)
})

test('an unknown name is answered with the names that are known', async () => {
  await expect(bench('nothing')).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining('map-default') })
})

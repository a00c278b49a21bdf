// What promtool says of the figures: of a host that has run, lost and recycled, and of its pool.
import { spawnSync } from 'node:child_process'
import { Pool } from '@poolmq/client'
import { expect, test } from 'vitest'
import { math } from '../fixtures/dist/math-tasks.js'
import { findProgram } from '../support/find-program.js'
import { uniqueName } from '../support/pool-name.js'
import { fixture, ProgramRun, poolmqCommand } from '../support/program-run.js'
import { redisUrl } from '../support/redis-database.js'

const check = (text: string) =>
  spawnSync(findProgram('promtool') ?? 'promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' })

test('promtool check metrics has nothing to say', async () => {
  const name = uniqueName('promtool')
  const env = { REDIS_URL: redisUrl(), POOLMQ_POOL: name }
  await using host = new ProgramRun(
    [poolmqCommand, 'worker', '--processes', '1', '--health-port', '0', fixture('math-tasks')],
    { env },
  )
  await host.says('serving')
  await using pool = new Pool({ name, connection: redisUrl(), maxTasksPerChild: 2 })
  await pool.map(math.square, [1, 2, 3, 4, 5, 6], 1)
  await pool.apply(math.exit, [9]).catch(() => undefined)
  const port = /health on port (\d+)/.exec(host.stderr)?.[1]
  const ofHost = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  await using run = new ProgramRun([poolmqCommand, 'metrics', '--once'], { env })
  expect(await run.exit()).toBe(0)
  for (const text of [ofHost, run.stdout]) {
    expect(text).toContain('poolmq_')
    const { status, stdout, stderr } = check(text)
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' })
  }
  // It does find fault with what is wrong.
  expect(check('# TYPE requests counter\nrequests 1\n').stdout + check('poolmq_x{ 1\n').stderr).not.toBe('')
})

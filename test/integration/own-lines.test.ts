// User code shares a process and a thread with us, and their channels are its own: what it says there is none of ours.
import { Pool, ThreadPool } from '@poolmq/client'
import { describe, expect, test } from 'vitest'
import { channels } from '../fixtures/dist/channel-tasks.js'
import { fixture, ProgramRun } from '../support/program-run.js'
import { redisUrl } from '../support/redis-database.js'

/** All that a supervisor is told, and what no listener of Node's own expects. */
const messages = [
  null,
  undefined,
  0,
  'ready',
  [],
  {},
  { type: null },
  { type: 'ready' },
  { type: 'ready', tasks: null },
  { type: 'last' },
  { type: 'replace' },
  { type: 'limits' },
  { type: 'limits', limits: null },
  { type: 'limits', limits: { memory: 1 } },
  { type: 'done' },
  { type: 'item', jobId: 'x.0.0', index: 0, limit: 1 },
  { type: 'failed', error: null },
  { type: 'failed', error: { name: 'ModuleError', message: 'no' } },
  { type: 'initialized' },
  { type: 'initializer-failed' },
  { cmd: 'NODE_HANDLE_ACK' },
  { cmd: 'NODE_HANDLE', type: 'nothing' },
  { cmd: 'NODE_CLUSTER', act: 'online' },
]

describe.each([
  ['process', () => new Pool(1)],
  ['thread', () => new ThreadPool(1)],
] as const)('the channel of a worker %s', (_what, start) => {
  test('is user code’s, in both directions, and may be closed', async () => {
    await using pool = start()
    const place = await pool.apply(channels.here)
    for (const message of messages.filter((one) => one !== undefined)) {
      expect(await pool.apply(channels.say, [message]), JSON.stringify(message)).toBe(true)
    }
    await pool.apply(channels.listen)
    // An item with a limit is told to the supervisor.
    await expect(pool.apply(channels.here, [], undefined, { timeout: 30_000 })).resolves.toBe(place)
    expect(await pool.apply(channels.heard)).toEqual([])
    await pool.apply(channels.drop)
    expect(await pool.apply(channels.here)).toBe(place)
    // It still hears: it is told to end, and does.
    pool.close()
    await pool.join()
  })
})

test('what a preloaded module says is heard by nobody, in supervisor and producer as well', async () => {
  await using program = new ProgramRun([fixture('channel-producer')], {
    env: {
      REDIS_URL: redisUrl(),
      NODE_OPTIONS: `--import ${new URL('../fixtures/dist/talkative-preload.js', import.meta.url)}`,
    },
  })
  expect(await program.exit()).toBe(0)
  expect(program.stdout).toBe('true\n')
  expect(program.stderr).toBe('')
})

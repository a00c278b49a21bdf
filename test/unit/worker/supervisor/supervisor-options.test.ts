import { Supervisor } from '@poolmq/worker/supervisor'
import { expect, test } from 'vitest'

const good = { pool: 'jobs', processes: 1, modules: [], connection: 'redis://127.0.0.1:1' }

test.each([
  [{ lockduration: 5000 }, TypeError, 'Supervisor: unknown option "lockduration"; it is called lockDuration'],
  [{ redis: 'redis://host' }, TypeError, 'Supervisor: unknown option "redis"; known are pool, processes'],
  [{ pool: 'no name' }, RangeError, 'name must be 1 to 100 letters'],
  [{ processes: 0 }, RangeError, 'processes must be a whole number of at least 1, got 0'],
  [{ processes: '2' }, TypeError, 'processes must be a whole number'],
  [{ processes: 4, lanes: 3 }, RangeError, 'lanes must be a whole number of at least 4, got 3'],
  [{ lockDuration: 10 }, RangeError, 'lockDuration must be a whole number of at least 1000, got 10'],
  [{ drainTimeout: -1 }, RangeError, 'drainTimeout must be a whole number of at least 0, got -1'],
  [{ build: '' }, RangeError, 'build is empty'],
])('%j is refused, and starts nothing', (options, kind, message) => {
  const make = () => new Supervisor({ ...good, ...options } as never)
  expect(make).toThrow(kind)
  expect(make).toThrow(message)
})

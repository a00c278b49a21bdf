import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import * as errors from '../../../../packages/shared/src/errors/errors.js'

const lost = new errors.WorkerLostError('lost', { starts: 3, signal: 'SIGKILL' })
const initializer = new errors.InitializerError('init', { cause: new Error('boom') })

const samples: readonly [errors.PoolError, string][] = [
  [new errors.PoolStateError('Pool not running'), 'ERR_POOL_STATE'],
  [new errors.TimeoutError(), 'ERR_POOL_TIMEOUT'],
  [new errors.PoolTerminatedError(), 'ERR_POOL_TERMINATED'],
  [lost, 'ERR_POOL_WORKER_LOST'],
  [initializer, 'ERR_POOL_INITIALIZER'],
  [new errors.UnknownTaskError('what', { taskId: 'a.b', nearest: ['a.c'] }), 'ERR_POOL_UNKNOWN_TASK'],
  [new errors.TaskVersionError('old', { taskId: 'a.b', version: '2', holders: [] }), 'ERR_POOL_TASK_VERSION'],
  [new errors.EncodingError('bad', { place: 'args[0]' }), 'ERR_POOL_ENCODING'],
  [new errors.ConnectionError('gone'), 'ERR_POOL_CONNECTION'],
  [new errors.TaskTimeoutError('slow', { timeout: 50 }), 'ERR_POOL_TASK_TIMEOUT'],
  [new errors.CancelledError(), 'ERR_POOL_CANCELLED'],
  [new errors.NestedPoolError('nested'), 'ERR_POOL_NESTED'],
  [new errors.ModuleError('module', { module: '../tasks.js' }), 'ERR_POOL_MODULE'],
  [new errors.ProtocolError('bytes'), 'ERR_POOL_PROTOCOL'],
  [new errors.DurableConflictError('other', { key: 'k', what: 'items', index: 3 }), 'ERR_POOL_DURABLE_CONFLICT'],
  [new errors.DurableLostError('lost', { key: 'k', items: [[0, 2]] }), 'ERR_POOL_DURABLE_LOST'],
  [new errors.NoDurableCallError('none', { key: 'k' }), 'ERR_POOL_NO_DURABLE_CALL'],
]

describe('errors', () => {
  it.each(samples)('%s has its class, name and code', (error, code) => {
    expect(error).toBeInstanceOf(errors.PoolError)
    expect(error.code).toBe(code)
    expect(Object.entries(errors)).toContainEqual([error.name, error.constructor])
    expect(Object.keys(error)).not.toContain('name')
    expect(inspect(error)).toContain(`${error.name}: ${error.message}`)
  })

  it('are all there', () => {
    expect(new Set(samples.map(([error]) => error.constructor)).size).toBe(Object.keys(errors).length - 1)
  })

  it('hold only the details that are known', () => {
    expect({ ...lost }).toEqual({ code: 'ERR_POOL_WORKER_LOST', starts: 3, signal: 'SIGKILL' })
    expect('cause' in lost).toBe(false)
    expect(initializer.cause).toEqual(new Error('boom'))
    expect({ ...new errors.EncodingError('bad', { place: 'x', index: 0, reason: 'r' }) }).toEqual({
      code: 'ERR_POOL_ENCODING',
      place: 'x',
      index: 0,
      reason: 'r',
    })
  })
})

/**
 * Loaded by the worker processes of a test pool beside their task modules: before an item starts, it looks whether its process is to
 * die there. Its URL says where the orders are. A signal of the process to itself is a signal as any other.
 */
import { defineTasks } from '@poolmq/shared'
import { RunningChunk } from '@poolmq/worker/inline'
import { KillOrders } from './kill-orders.js'

const { searchParams } = new URL(import.meta.url)
const orders = new KillOrders(searchParams.get('orders') ?? '')

const { start } = RunningChunk.prototype
RunningChunk.prototype.start = function (offset) {
  start.call(this, offset)
  if (!orders.take(this.taskId, this.index)) return
  process.kill(process.pid, 'SIGKILL')
  for (;;) {} // nothing of the item runs
}

/** A module that defines no tasks is none that worker processes load. */
defineTasks(import.meta.url, 'poolmqTesting', { nothing: () => undefined })

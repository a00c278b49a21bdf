/** What of the table an InlinePool cannot keep, as its tasks run in the process of the test. */

interface Limit {
  readonly reason: string
  readonly ids: readonly string[]
  /** Whether such a case may be run all the same, to see that it still fails. */
  readonly mayRun: boolean
}

export const limits: readonly Limit[] = [
  {
    reason: 'a task that ends its process ends the test',
    mayRun: false,
    ids: [
      'deadlock/exit-at-result-encode',
      'deadlock/crash-at-result-encode',
      'deadlock/exit-in-task',
      'deadlock/crash-in-task',
      'deadlock/crash-then-shutdown',
      'deadlock/crash-with-large-data',
      'errors/exits',
      'errors/exits-with-zero',
      'worker-death/apply',
      'worker-death/details',
      'worker-death/starts',
      'worker-death/once',
      'worker-death/map',
      'worker-death/imap',
      'worker-death/imap-neighbours',
      'worker-death/others-go-on',
      'worker-death/error-callback',
      'worker-death/replaced',
      'worker-death/join',
      'worker-death/terminate',
      'worker-death/idle',
      'worker-death/idle-then-terminate',
      'worker-death/idle-then-join',
      'worker-death/innocent-neighbour',
      'worker-death/many',
    ],
  },
  {
    reason: 'what a task leaves behind goes on: no process ends',
    mayRun: false,
    ids: ['terminate/ends-workers'],
  },
  {
    reason: 'a task that never leaves the processor keeps it from the test',
    mayRun: false,
    ids: ['terminate/busy-task', 'terminate/ignores-sigterm', 'terminate/ends-what-ignores-sigterm'],
  },
  {
    reason: 'a task that does not end when it is told to is left alone',
    mayRun: true,
    ids: ['terminate/kills-running'],
  },
  {
    reason: 'tasks run in the process of the test',
    mayRun: true,
    ids: ['apply/in-a-worker', 'callbacks/runs-in-parent'],
  },
  {
    reason: 'what modules hold is shared by all tasks and pools, so the initializer runs once for all workers',
    mayRun: true,
    ids: ['initializer/once-in-each-worker', 'initializer/state-stays', 'initializer/two-pools'],
  },
  {
    reason: 'no process is replaced, and an option that asks for it is refused',
    mayRun: true,
    ids: [
      'construct/max-tasks-zero',
      'construct/max-tasks-negative',
      'construct/max-tasks-fraction',
      'construct/max-tasks-text',
      'construct/order-initializer-last',
      'initializer/replacement-too',
      'max-tasks/chunk-4-limit-1',
      'max-tasks/chunk-default-limit-1',
      'max-tasks/chunk-1-limit-1',
      'max-tasks/chunk-1-limit-2',
      'max-tasks/chunk-2-limit-2',
      'max-tasks/chunk-8-limit-1',
      'max-tasks/applies',
      'max-tasks/failures-count',
      'max-tasks/imap',
      'max-tasks/lifetime',
      'max-tasks/lifetime-replaces',
      'max-tasks/early-close',
      'max-tasks/order-kept',
      'max-tasks/with-errors',
    ],
  },
]

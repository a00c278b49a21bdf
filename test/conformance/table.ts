/** The table: every case, by member. It runs against Pool and ThreadPool; CPython's answers are in golden.json. */
import type { Case } from './case.js'
import { asyncResult } from './cases/async-result.js'
import { callbackErrors } from './cases/callback-errors.js'
import { callbacks } from './cases/callbacks.js'
import { chunking } from './cases/chunking.js'
import { construct } from './cases/construct.js'
import { deadlock } from './cases/deadlock.js'
import { errors } from './cases/errors.js'
import { imap } from './cases/imap.js'
import { imapErrors } from './cases/imap-errors.js'
import { initializer } from './cases/initializer.js'
import { mapErrors } from './cases/map-errors.js'
import { maps } from './cases/maps.js'
import { maxTasks } from './cases/max-tasks.js'
import { state } from './cases/state.js'
import { submit } from './cases/submit.js'
import { terminate } from './cases/terminate.js'
import { values } from './cases/values.js'
import { workerDeath } from './cases/worker-death.js'

export const table: readonly Case[] = [
  ...construct,
  ...state,
  ...submit,
  ...maps,
  ...chunking,
  ...asyncResult,
  ...mapErrors,
  ...imap,
  ...imapErrors,
  ...callbacks,
  ...callbackErrors,
  ...errors,
  ...values,
  ...maxTasks,
  ...initializer,
  ...workerDeath,
  ...deadlock,
  ...terminate,
]

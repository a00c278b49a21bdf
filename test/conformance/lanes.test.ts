/** The conformance table against a Pool whose worker processes run several tasks at a time. */
import { runTable } from './runner.js'

runTable('Pool with lanes')

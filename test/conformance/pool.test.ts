/** The conformance table against Pool. */
import { runTable } from './runner.js'

runTable('Pool')

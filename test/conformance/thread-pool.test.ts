/** The conformance table against ThreadPool. */
import { runTable } from './runner.js'

runTable('ThreadPool')

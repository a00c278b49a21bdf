#!/usr/bin/env node
import { main } from '../dist/command/cli.js'

process.exit(await main(process.argv.slice(2)))

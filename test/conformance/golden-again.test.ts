/** golden.json is what CPython says: the script that wrote it writes it again. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { goldenUrl } from './golden.js'

const script = fileURLToPath(new URL('./cpython.py', import.meta.url))

test('golden.json regenerates byte by byte', { timeout: 600_000 }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'conformance-golden-'))
  try {
    const output = join(directory, 'golden.json')
    const run = spawnSync('python3', [script, output], { encoding: 'utf8' })
    expect(run.status, run.stderr).toBe(0)
    expect(readFileSync(output, 'utf8')).toBe(readFileSync(goldenUrl, 'utf8'))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})

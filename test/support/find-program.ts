import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** What Chromium is called. */
export const browsers = ['chromium', 'chromium-browser', 'google-chrome'] as const

/** The path of the first of these programs that is on PATH, or where Debian installs programs; undefined: there is none. */
export function findProgram(...names: readonly string[]): string | undefined {
  const found = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/bin', '/usr/bin', '/bin'].filter(Boolean)
  return names.flatMap((name) => found.map((directory) => join(directory, name))).find(isProgram)
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

// Gets what the tests of wrong clocks need, where it can be had: libfaketime, which Debian's package `faketime` brings. They
// are left out, with a reason, where it cannot (test/support/left-out.ts).
import { installDebianPackage } from './debian-package.mjs'
import { findOnPath } from './programs.mjs'
import { say } from './workspace.mjs'

export async function provideFakeClock() {
  if (process.platform !== 'linux' || findOnPath('faketime')) return
  const installed = await installDebianPackage('faketime', 'faketime')
  if (installed.reason) say(`for tests of wrong clocks: nothing, ${installed.reason}`)
}

/** Milliseconds of the clock that all processes of a host share and that nobody sets. */
export function hostNow(): number {
  return Number(process.hrtime.bigint() / 1_000_000n)
}

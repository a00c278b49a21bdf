/** Ends this process or thread though a handler of user code for its exit throws: a second call asks none of them. */
export function exitAnyhow(code: number): void {
  try {
    process.exit(code)
  } catch {
    process.exit(code)
  }
}

/** What `read` gives; undefined when it throws. For what belongs to users, whose getters and Proxies may do so. */
export function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}

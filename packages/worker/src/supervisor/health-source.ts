/** What a host tells of its health; who serves it over HTTP is none of its concern. */

/** Worker processes (or threads) of a host. */
export interface WorkerCounts {
  readonly processes: number
  /** Have loaded their modules, and are connected. */
  readonly ready: number
  /** Have a chunk in hand. */
  readonly busy: number
}

/** What a host says about itself. */
export interface HealthSource {
  readonly workers: WorkerCounts
  /** What keeps the host from taking a chunk now: nothing when it could. Resolves within some seconds, Redis or not. */
  obstacles(): Promise<readonly string[]>
  /** Its figures in the text form of Prometheus. */
  metrics(): Promise<string>
}

/** Why nothing can run in a pool any more: for good (its worker processes cannot start), or until Redis is back. */
export class Breakdown {
  #reason: { readonly error: unknown } | undefined
  #mayPass = false

  get reason(): { readonly error: unknown } | undefined {
    return this.#reason
  }

  /** False when the pool was broken for good before: the first reason stands. */
  begin(error: unknown, mayPass: boolean): boolean {
    if (this.#reason !== undefined && !this.#mayPass) return false
    this.#reason = { error }
    this.#mayPass = mayPass
    return true
  }

  /** What may pass has passed. */
  end(): void {
    if (this.#mayPass) this.#reason = undefined
  }
}

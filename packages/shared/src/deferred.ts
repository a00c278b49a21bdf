/** A promise that is settled from outside. (`Promise.withResolvers` is not in Node 20.) */
export class Deferred<T = void> {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
  readonly reject: (error: unknown) => void

  constructor() {
    let resolve!: (value: T) => void
    let reject!: (error: unknown) => void
    this.promise = new Promise<T>((res, rej) => {
      resolve = res
      reject = rej
    })
    this.resolve = resolve
    this.reject = reject
  }
}

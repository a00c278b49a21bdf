/** One request, as PoolMQ's tasks and p-map make it: connections are kept. */
import { Agent, get } from 'node:http'

const agent = new Agent({ keepAlive: true })

/** The status of the answer, when it has been read. */
export function request(url: string): Promise<number> {
  return new Promise((resolve, reject) => {
    get(url, { agent }, (response) => {
      response.on('end', () => resolve(response.statusCode ?? 0)).on('error', reject)
      response.resume()
    }).on('error', reject)
  })
}

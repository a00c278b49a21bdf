/** All contestants, by name. */
import { nodePeer, pythonPeer } from '../harness/peer.js'

/** Debian's packages belong to Debian's Python, which need not be the first on PATH. */
const pythons = ['python3', '/usr/bin/python3']

export const poolmq = nodePeer('poolmq', 'poolmq')
export const cpython = pythonPeer('cpython', 'cpython.py', 'multiprocessing', pythons)
export const celery = pythonPeer('celery', 'celery_peer.py', 'celery, redis', pythons)
export const rq = pythonPeer('rq', 'rq_peer.py', 'rq', pythons)
export const dask = pythonPeer('dask', 'dask_peer.py', 'distributed', pythons)
export const bullmqEvents = nodePeer('bullmq-events', 'bullmq-events')
export const bullmqWait = nodePeer('bullmq-wait', 'bullmq-wait')
export const ioredisFloor = nodePeer('ioredis', 'ioredis-floor')
export const pMap = nodePeer('p-map', 'p-map')
export const piscina = nodePeer('piscina', 'piscina')
export const tinypool = nodePeer('tinypool', 'tinypool')
export const workerpool = nodePeer('workerpool', 'workerpool')

/** Those that open their pool when they are told to, for `first` and `wait`. */
export const waiting = {
  poolmq: nodePeer('poolmq', 'waiting-poolmq'),
  cpython: pythonPeer('cpython', 'waiting_cpython.py', 'multiprocessing', pythons),
  bullmq: nodePeer('bullmq', 'waiting-bullmq'),
  pMap,
}

/** Those that run one task a message, one item a task, without Redis. */
export const threadPools = [piscina, tinypool, workerpool]

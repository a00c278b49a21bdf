"""CPython's own multiprocessing.pool.ThreadPool, opened when the clock runs."""
import time
from multiprocessing.pool import ThreadPool

from contestant import PROCESSES, SETUP, check, serve

LANES = PROCESSES * SETUP.get("concurrency", 1)
pools = []


def wait(milliseconds):
    time.sleep(milliseconds / 1000)
    return milliseconds


def first(job, clock):
    def open_and_ask():
        pools.append(ThreadPool(LANES))
        return pools[0].apply(wait, (0,))

    check(clock.time(open_and_ask) == 0, "no result")


def wait_all(job, clock):
    waits = [job["milliseconds"]] * job["items"]
    results = clock.time(lambda: pools[0].map(wait, waits, 1))
    check(results == waits, f"{len(results)} results")


if __name__ == "__main__":
    serve({"first": first, "wait": wait_all})
    for pool in pools:
        pool.terminate()

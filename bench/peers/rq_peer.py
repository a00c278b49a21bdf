"""RQ with its SimpleWorker, which runs jobs in its own process: the usual one forks for each job, and is slower."""
import os
import subprocess
import sys
import time

from redis import Redis
from rq import Queue, SimpleWorker

from contestant import PROCESSES, check_identities, serve
from tasks import fibonacci, identity

URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379")


def work(name):
    connection = Redis.from_url(URL)
    SimpleWorker([Queue(name, connection=connection)], connection=connection).work(logging_level="ERROR")


def main():
    name = f"bench-rq-{os.getpid()}"
    here = os.path.dirname(os.path.abspath(__file__))
    command = [sys.executable, os.path.join(here, "rq_peer.py"), "worker", name]
    workers = [subprocess.Popen(command, cwd=here, stdin=subprocess.DEVNULL, stdout=sys.stderr) for _ in range(PROCESSES)]
    connection = Redis.from_url(URL)
    queue = Queue(name, connection=connection)

    def run(function, arguments, pause):
        datas = [Queue.prepare_data(function, (argument,), result_ttl=60) for argument in arguments]
        with connection.pipeline() as pipeline:
            jobs = queue.enqueue_many(datas, pipeline=pipeline)
            pipeline.execute()
        # It has no call that waits for a result: one looks for it.
        while not jobs[-1].is_finished or any(not job.is_finished for job in jobs):
            time.sleep(pause)
        results = [job.result for job in jobs]
        for job in jobs:
            job.delete()
        return results

    def map_items(job, clock):
        if job.get("chunk", 1) != 1:
            raise ValueError("it has no chunks")
        check_identities(clock.time(lambda: run(identity, range(job["items"]), 0.005)), job["items"])

    try:
        run(identity, [1], 0.01)
        serve(
            {
                "map": map_items,
                "apply": lambda job, clock: clock.time_each(job["calls"], lambda i: run(identity, [i], 0.0005)[0]),
                "fib": lambda job, clock: clock.time(lambda: run(fibonacci, [job["n"]] * job["items"], 0.005)),
            }
        )
    finally:
        for worker in workers:
            worker.kill()
        queue.delete(delete_jobs=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        work(sys.argv[2])
    else:
        main()

"""Dask's distributed scheduler with worker processes of one thread each; it does not use Redis."""
import os
import sys

from distributed import Client, LocalCluster

from contestant import PROCESSES, check, check_identities, cut, serve, texts
from tasks import echo, fibonacci, identity

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))


def identities(items):
    return [identity(item) for item in items]


def main():
    os.environ["PYTHONPATH"] = os.path.dirname(os.path.abspath(__file__))
    with LocalCluster(
        n_workers=PROCESSES, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=40
    ) as cluster, Client(cluster) as client:

        def run(function, inputs):
            return client.gather(client.map(function, inputs, pure=False))

        def map_items(job, clock):
            numbers, chunk = list(range(job["items"])), job.get("chunk") or 1
            if chunk == 1:
                results = clock.time(lambda: run(identity, numbers))
            else:
                parts = clock.time(lambda: run(identities, cut(numbers, chunk)))
                results = [value for part in parts for value in part]
            check_identities(results, job["items"])

        def map_texts(job, clock):
            inputs = texts(job["items"], job["bytes"])
            check(clock.time(lambda: run(echo, inputs)) == inputs, "the texts differ")

        serve(
            {
                "map": map_items,
                "apply": lambda job, clock: clock.time_each(
                    job["calls"], lambda i: client.submit(identity, i, pure=False).result()
                ),
                "echo": map_texts,
                "fib": lambda job, clock: clock.time(lambda: run(fibonacci, [job["n"]] * job["items"])),
            }
        )


if __name__ == "__main__":
    main()

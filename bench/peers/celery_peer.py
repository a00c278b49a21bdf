"""Celery with Redis as broker and result backend: `group` for one item a message, `chunks` for more."""
import os
import subprocess
import sys

os.environ["BENCH_NAME"] = f"bench-celery-{os.getpid()}"

from celery import group  # noqa: E402

from celery_app import app, echo, fibonacci, identity  # noqa: E402
from contestant import PROCESSES, check, check_identities, serve, texts  # noqa: E402

WORKER = ["worker", "--pool", "prefork", "--concurrency", str(PROCESSES), "--loglevel", "ERROR"]
QUIET = ["--without-gossip", "--without-mingle", "--without-heartbeat"]


def get(result):
    values = result.get(timeout=170)
    result.forget()
    return values


def map_items(job, clock):
    items, chunk = job["items"], job.get("chunk") or 1

    def run():
        if chunk == 1:
            return get(group(identity.s(i) for i in range(items)).apply_async())
        parts = get(identity.chunks(((i,) for i in range(items)), chunk).apply_async())
        return [value for part in parts for value in part]

    check_identities(clock.time(run), items)


def map_texts(job, clock):
    inputs = texts(job["items"], job["bytes"])
    results = clock.time(lambda: get(group(echo.s(text) for text in inputs).apply_async()))
    check(results == inputs, "the texts differ")


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "--app", "celery_app", *WORKER, *QUIET],
        cwd=here,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
    )
    try:
        identity.delay(1).get(timeout=50)
        serve(
            {
                "map": map_items,
                "apply": lambda job, clock: clock.time_each(job["calls"], lambda i: get(identity.delay(i))),
                "echo": map_texts,
                "fib": lambda job, clock: clock.time(
                    lambda: get(group(fibonacci.s(job["n"]) for _ in range(job["items"])).apply_async())
                ),
            }
        )
    finally:
        worker.terminate()
        worker.wait()
        app.control.purge()


if __name__ == "__main__":
    main()

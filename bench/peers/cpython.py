"""CPython's own multiprocessing.Pool: pipes between processes of one host, nothing leaves memory."""
from multiprocessing import Pool

from contestant import PROCESSES, check, check_identities, serve, texts
from tasks import echo, fibonacci, identity


def main():
    with Pool(PROCESSES) as pool:

        def map_items(job, clock):
            numbers = list(range(job["items"]))
            results = clock.time(lambda: pool.map(identity, numbers, job.get("chunk")))
            check_identities(results, job["items"])

        def iterate(method):
            def run(job, clock):
                def consume():
                    count = total = 0
                    for value in method(identity, range(job["items"]), job.get("chunk") or 1):
                        count += 1
                        total += value
                    return count, total

                items = job["items"]
                check(clock.time(consume) == (items, items * (items - 1) // 2), "count or sum differ")

            return run

        def map_texts(job, clock):
            inputs = texts(job["items"], job["bytes"])
            results = clock.time(lambda: pool.map(echo, inputs, 1))
            check(results == inputs, "the texts differ")

        serve(
            {
                "map": map_items,
                "imap": iterate(pool.imap),
                "imapUnordered": iterate(pool.imap_unordered),
                "apply": lambda job, clock: clock.time_each(job["calls"], lambda i: pool.apply(identity, (i,))),
                "echo": map_texts,
                "fib": lambda job, clock: clock.time(lambda: pool.map(fibonacci, [job["n"]] * job["items"], 1)),
            }
        )


if __name__ == "__main__":
    main()

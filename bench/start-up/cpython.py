"""From Pool(2) to the first result, with CPython's own pool."""
import json
import time
from multiprocessing import Pool


def identity(x):
    return x


if __name__ == "__main__":
    start = time.perf_counter()
    with Pool(2) as pool:
        assert pool.apply(identity, (42,)) == 42
        print(json.dumps({"seconds": time.perf_counter() - start}), flush=True)

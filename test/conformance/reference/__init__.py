"""The cases of the conformance suite as CPython's own multiprocessing.Pool answers them."""

#!/bin/sh
# Installs the Python peers of the benchmarks from Debian's packages: Celery 5, RQ and Dask. Run it as root.
set -eu
apt-get update
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
  python3 python3-celery python3-distributed python3-redis python3-rq

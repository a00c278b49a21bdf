"""Celery's tasks and settings. Set for speed where that is Celery's to give: no events, a large prefetch, JSON."""
import os

from celery import Celery

import tasks

URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379")
NAME = os.environ.get("BENCH_NAME", "bench-celery")

app = Celery(NAME, broker=URL, backend=URL)
app.conf.update(
    task_default_queue=NAME,
    task_serializer="json",
    result_serializer="json",
    accept_content=["json"],
    worker_prefetch_multiplier=32,
    worker_send_task_events=False,
    task_send_sent_event=False,
    result_expires=600,
    broker_connection_retry_on_startup=True,
)

identity = app.task(name="identity")(tasks.identity)
echo = app.task(name="echo")(tasks.echo)
fibonacci = app.task(name="fibonacci")(tasks.fibonacci)

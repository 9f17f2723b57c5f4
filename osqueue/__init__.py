"""A durable job queue whose only infrastructure is one JSON object in a bucket.

Import what you use from its own module: `osqueue.client.Client`, `osqueue.worker.Worker`.
Nothing is imported here, so that the deterministic core loads without any I/O library.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"

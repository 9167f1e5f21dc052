"""Background jobs: a worker process computes, the workspace's owner takes in what it found."""

from core.jobs.ask import JobRunner
from core.jobs.watch import Watch

__all__ = ["JobRunner", "Watch"]

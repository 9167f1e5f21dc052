"""Background jobs: a worker process computes, the workspace's owner takes in what it found."""

from core.jobs.owner import JobRunner

__all__ = ["JobRunner"]

"""Background jobs: a worker process computes, the workspace's owner takes in what it found."""

from core.jobs.ask import Jobs
from core.jobs.watch import Watch

__all__ = ["Jobs", "Watch"]

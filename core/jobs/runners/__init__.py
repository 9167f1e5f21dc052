"""Where a job's worker runs."""

"""What leaves and enters a workspace: decisions, reports, hybrid folders."""

"""What people decide: queue, opinions, agreement, progress."""

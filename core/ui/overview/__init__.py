"""What the Overview shows beside its map."""

"""Who writes programs: attention in, programs out. They are handed train and validation only."""

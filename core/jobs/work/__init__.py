"""What each kind of job does in its worker."""

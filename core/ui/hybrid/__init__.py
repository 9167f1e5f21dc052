"""The Hybrid page."""

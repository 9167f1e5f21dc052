"""The Audit page: where programs stand, and what lies behind it."""

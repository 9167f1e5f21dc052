"""Headscript: attention heads explained, reviewed and replaced by short Python programs."""

__version__ = "0.1.0"

"""The Caption page."""

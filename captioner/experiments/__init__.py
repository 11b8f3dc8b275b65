"""Experiments: many runs, trained, scored and recorded as data."""

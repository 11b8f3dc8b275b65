"""Metrics, confidence intervals, evaluation, comparison, caption style and familiarity."""

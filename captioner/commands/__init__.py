"""What `python -m captioner` does: one module per command, each with a function `run`; importing them loads nothing heavy."""

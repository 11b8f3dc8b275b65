"""Training: batches, both stages, encoder fine-tuning, runs, several workers and live training."""

"""Speed measurements of captioning and training."""

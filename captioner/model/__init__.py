"""The decoder, its layers and losses, packed captions, and checkpoints on disk."""

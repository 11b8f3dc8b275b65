"""From features to captions: beam search, the NumPy decoder, the Captioner, and many files at once."""

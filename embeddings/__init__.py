"""Where words get their vectors: learned, Word2Vec or FastText. Imports nothing from `captioner`."""

"""Captions a photograph with three LSTM decoders that differ only in where their words' vectors come from."""

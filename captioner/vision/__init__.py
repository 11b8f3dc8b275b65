"""The CNN: encoders, their class names and the feature cache."""

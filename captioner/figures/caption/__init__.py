"""What the Caption page draws."""

"""What the Curves page draws."""

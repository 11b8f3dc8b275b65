"""What the Scores page draws."""

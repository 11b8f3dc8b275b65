"""What is drawn of the older recipes."""

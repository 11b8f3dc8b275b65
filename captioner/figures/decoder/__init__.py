"""What is drawn of a decoder: its architecture and one decoding step."""

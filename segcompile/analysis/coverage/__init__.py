"""What of the input reaches one output: exact sets in two dimensions, and how many paths lead there."""

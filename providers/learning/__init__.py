"""What answers and refusals teach of a model: parameters it refuses, caps, windows, and how its tokens count."""

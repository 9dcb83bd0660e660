"""The language between dialects. Pure: no I/O, no clock, no logger."""

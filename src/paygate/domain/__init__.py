"""The pure rules: no I/O, no clock reading, no randomness. Rule numbers are those of the domain reference."""

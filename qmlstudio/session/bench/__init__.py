"""The learning-curve bench: any representations × models × properties, repeated, honest, and cheap by sharing work."""

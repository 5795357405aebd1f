"""Molecules, crystals and data sets: arrays, units, bonds, readers and writers. Knows no Qt and no numba."""

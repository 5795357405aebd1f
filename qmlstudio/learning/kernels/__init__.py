"""Kernels: similarities of structures. Only these are ever called kernel; compiled functions are loops."""

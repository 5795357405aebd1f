"""Models that learn properties from features."""

"""Reusable widgets. They know arrays and structures, never the application; import them from their modules."""

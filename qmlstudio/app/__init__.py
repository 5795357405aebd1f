"""The application without its window: store, pipeline, jobs, autosave, preferences. QtCore only."""

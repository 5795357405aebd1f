"""The learning panel: set-up of a bench, its curves, errors, search, and the models that were kept."""

from qmlstudio.views.learning.view import LearningView

__all__ = ["LearningView"]

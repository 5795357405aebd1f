"""The panel that says why a model predicts what it does, and how far it can be trusted."""

from qmlstudio.views.explain.view import WhyView

__all__ = ["WhyView"]

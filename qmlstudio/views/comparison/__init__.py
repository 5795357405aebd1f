"""Data sets side by side."""

from qmlstudio.views.comparison.view import ComparisonView

__all__ = ["ComparisonView"]

"""The selection panel."""

from qmlstudio.views.selection.view import SelectionView

__all__ = ["SelectionView"]

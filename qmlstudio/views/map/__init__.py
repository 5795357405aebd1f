"""The map panel: every structure a point, coloured, selected, hovered; and what makes the map."""

from qmlstudio.views.map.view import MapView

__all__ = ["MapView"]

"""The kernel panel: the matrix of similarities as an image, its spectrum, and what it knows of the properties."""

from qmlstudio.views.kernel.view import KernelView

__all__ = ["KernelView"]

"""The distributions panel: one column as a histogram, two against each other, all of them by their correlations."""

from qmlstudio.views.distributions.view import DistributionsView

__all__ = ["DistributionsView"]

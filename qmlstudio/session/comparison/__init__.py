"""Data sets side by side: sizes, composition, geometry, energies, forces, and how far one covers another."""

from qmlstudio.session.comparison.coverage import Coverage, CoverageSpec, coverage
from qmlstudio.session.comparison.joint import joint_dataset
from qmlstudio.session.comparison.measures import SetMeasures, measures
from qmlstudio.session.comparison.result import Comparison, comparison
from qmlstudio.session.comparison.sets import COLORS, LINES, ComparisonSpec, DataPart

__all__ = [
    "COLORS",
    "LINES",
    "Comparison",
    "ComparisonSpec",
    "Coverage",
    "CoverageSpec",
    "DataPart",
    "SetMeasures",
    "comparison",
    "coverage",
    "joint_dataset",
    "measures",
]

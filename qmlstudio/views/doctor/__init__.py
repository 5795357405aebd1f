"""The doctor panel: what may be wrong with the data, where, and what is left out because of it."""

from qmlstudio.views.doctor.view import DoctorView

__all__ = ("DoctorView",)

"""Small things round the drawing of features: whose row, the difference to what, how large all of it is."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QComboBox, QWidget

from qmlstudio.widgets.descriptor_scale import duration


def size_text(columns: int, memory: int, rows: int | None, seconds: float | None, budget: int | None) -> str:
    """What features cost.

    Parameters
    ----------
    columns : int
    memory : int, bytes
        Of all rows.
    rows : int, optional
        Where there are more of them than structures.
    seconds : float, optional
        How long computing will take, once known.
    budget : int, bytes, optional
        Memory beyond it turns the line into a warning.
    """

    def tr(text: str) -> str:
        return QCoreApplication.translate("DescriptorControls", text)

    large = memory >= 2**30
    parts = [tr("{:,} columns").format(columns)]
    if rows is not None:
        parts.append(tr("{:,} rows").format(rows))
    parts.append(
        (tr("{:,.1f} GiB for all") if large else tr("{:,.1f} MiB for all")).format(memory / 2 ** (30 if large else 20))
    )
    if seconds is not None:
        said = duration(seconds)
        parts.append(said if said.startswith("<") else f"≈ {said}")
    text = " · ".join(parts)
    if budget is None or memory <= budget:
        return text
    return f"⚠ {text}" + tr(
        " — beyond the budget of {:,.1f} GiB: no map of all. Take fewer columns or structures, save the features to a "
        "file, or raise the budget in the preferences."
    ).format(budget / 2**30)


class NarrowBox(QComboBox):
    """A combo box that shares a narrow panel; its list shows the texts in full."""

    def __init__(self, tip: str, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setToolTip(tip)
        self.setAccessibleName(name)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(6)
        self.setVisible(False)

    def set_entries(self, entries: Sequence[tuple[str, object]], current: object) -> None:
        """Texts with their data; no signal comes of it. The same entries are not made anew: frames come fast."""
        if [self.itemText(k) for k in range(self.count())] != [text for text, _ in entries]:
            self.clear()
            for text, data in entries:
                self.addItem(text, data)
        else:
            for k, (_, data) in enumerate(entries):
                self.setItemData(k, data)
        self.setCurrentIndex(max(self.findData(current), 0))

"""A row of small pictures of structures that stand for a set; a click goes to one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPainter, QPen, QPixmap, QResizeEvent
from PySide6.QtWidgets import QListView, QListWidget, QListWidgetItem, QSizePolicy, QWidget

from qmlstudio.widgets.theme import theme

CELL = QSize(84, 64)
"""Size of a picture."""


@dataclass(frozen=True)
class Picture:
    """A structure: its index, the name below its picture, SVG (empty: the name alone) and a line for the tooltip."""

    index: int
    name: str
    svg: str = ""
    tip: str = ""


class PictureStrip(QListWidget):
    """Pictures in rows of as many as fit.

    Signals
    -------
    activated_structure(index)
        A click, or Return on the current one.
    """

    activated_structure = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme(False)
        self._pictures: tuple[Picture, ...] = ()
        self.setViewMode(QListView.ViewMode.IconMode)
        # the icon mode takes drops unless it is told not to; files are for the window
        self.setDragDropMode(QListWidget.DragDropMode.NoDragDrop)
        self.setAcceptDrops(False)
        self.viewport().setAcceptDrops(False)
        self.setMovement(QListView.Movement.Static)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setUniformItemSizes(True)
        self.setWordWrap(False)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setIconSize(CELL)
        self.setSpacing(0)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setAccessibleName(self.tr("Representative structures"))
        self.itemClicked.connect(self._on_item_chosen)
        self.itemActivated.connect(self._on_item_chosen)
        self.setGridSize(QSize(CELL.width() + 4, CELL.height() + self.fontMetrics().height() + 8))
        self._fit()

    @property
    def indices(self) -> tuple[int, ...]:
        """The structures shown."""
        return tuple(p.index for p in self._pictures)

    def set_pictures(self, pictures: Sequence[Picture]) -> None:
        """Replace what is shown."""
        self._pictures = tuple(pictures)
        self.setVisible(bool(self._pictures))
        self.clear()
        for k, picture in enumerate(self._pictures):
            item = QListWidgetItem(QIcon(self._drawn(picture.svg)), picture.name)
            item.setData(Qt.ItemDataRole.UserRole, k)
            item.setToolTip(picture.tip or picture.name)
            item.setTextAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
            item.setSizeHint(self.gridSize())
            self.addItem(item)
        self._fit()

    def set_dark(self, dark: bool) -> None:
        """Light or dark ground; the drawings must come in the fitting colours."""
        self._theme = theme(dark)
        self.setStyleSheet(f"QListWidget {{ background: {self._theme.background}; color: {self._theme.foreground}; }}")

    def _fit(self) -> None:
        """As high as one row, or two where there are more than fit one."""
        # not of the viewport, whose width depends on a scroll bar and so on the height
        across = max(1, self.contentsRect().width() // self.gridSize().width())
        rows = min(2, max(1, -(-len(self._pictures) // across)))
        frame = 2 * self.frameWidth() + 2
        self.setMinimumHeight(self.gridSize().height() + frame)
        self.setMaximumHeight(rows * self.gridSize().height() + frame)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _drawn(self, svg: str) -> QPixmap:
        from PySide6.QtSvg import QSvgRenderer

        ratio = self.devicePixelRatioF()
        pixmap = QPixmap(round(CELL.width() * ratio), round(CELL.height() * ratio))
        pixmap.setDevicePixelRatio(ratio)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(0, 0, CELL.width(), CELL.height())
        renderer = QSvgRenderer(QByteArray(svg.encode())) if svg else None
        if renderer is not None and renderer.isValid():
            renderer.render(painter, area)
        else:
            painter.setPen(QPen(QColor(self._theme.muted), 1.0, Qt.PenStyle.DotLine))
            painter.drawRoundedRect(area.adjusted(6, 6, -6, -6), 4, 4)
        painter.end()
        return pixmap

    def _on_item_chosen(self, item: QListWidgetItem) -> None:
        self.activated_structure.emit(self._pictures[item.data(Qt.ItemDataRole.UserRole)].index)

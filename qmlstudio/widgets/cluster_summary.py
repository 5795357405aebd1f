"""What sets a group of structures apart, as text and tables with bars."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable
from typing import Any

from PySide6.QtCore import QCoreApplication, QRectF, Qt, QUrl
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtWidgets import QTextBrowser, QWidget

from qmlstudio.session.cluster_report import ClusterReport, Difference, Share
from qmlstudio.widgets.theme import Theme, theme

BAR = 46
"""Width of a whole bar, px."""
BAR_HEIGHT = 11


class ReportText(QTextBrowser):
    """Shows a :class:`ClusterReport`; the text can be marked and copied."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme(False)
        self._report: ClusterReport | None = None
        self._message = ""
        self.setOpenLinks(False)
        # files dropped here are for the window
        self.setAcceptDrops(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(self.tr("What sets these structures apart"))
        self.setTabChangesFocus(True)
        self.set_dark(False)

    @property
    def report(self) -> ClusterReport | None:
        """The report on screen."""
        return self._report

    def set_report(self, report: ClusterReport | None, message: str = "") -> None:
        """Show a report; None with a message shows that instead."""
        self._report, self._message = report, message
        self._show()

    def set_dark(self, dark: bool) -> None:
        """Light or dark colours."""
        self._theme = theme(dark)
        self.setStyleSheet(f"QTextBrowser {{ background: {self._theme.background}; color: {self._theme.foreground}; }}")
        self._show()

    def loadResource(self, type: int, name: QUrl | str) -> Any:
        url = name if isinstance(name, QUrl) else QUrl(name)
        if url.scheme() != "bar":
            return super().loadResource(type, name)
        inside, outside = (float(x) for x in url.path().split(","))
        return bar_picture(inside, outside, self._theme, self.devicePixelRatioF())

    def _show(self) -> None:
        report = self._report
        self.document().clear()
        bar = self.verticalScrollBar()
        if report is None:
            self.setHtml(f"<p style='color:{self._theme.muted}'>{html.escape(self._message)}</p>")
        else:
            self.setHtml(report_html(report, self._theme))
        bar.setValue(0)


def report_html(report: ClusterReport, colors: Theme) -> str:
    """The report as rich text that fits 280 px."""

    def tr(text: str) -> str:
        return QCoreApplication.translate("ReportText", text)

    parts = [f"<p style='margin-top:0'><b>{html.escape(report.summary)}</b></p>"]
    if report.groups or report.lacking:
        title = tr("Groups and rings")
        parts.append(_shares(title, (*report.groups, *report.lacking), colors))
    if report.scaffolds:
        parts.append(_shares(tr("Scaffolds"), report.scaffolds, colors))
    if report.properties:
        parts.append(_title(tr("Properties"), (tr("here"), tr("else"), tr("shift")), colors))
        parts += [_difference(d, colors) for d in report.properties]
        parts.append("</table>")
    if report.count and report.count < report.total:
        parts.append(_title(tr("Atoms, mean"), (tr("here"), tr("else"), ""), colors))
        inside, outside = report.heavy_atoms
        rows = ((tr("beside hydrogen"), inside, outside), *report.elements)
        parts += [_row(name, f"{a:.2f}", f"{b:.2f}", "", colors) for name, a, b in rows]
        parts.append("</table>")
    if report.formulas:
        parts.append(_shares(tr("Formulas"), report.formulas, colors))
    if report.note:
        parts.append(f"<p style='color:{colors.muted}'>{html.escape(report.note)}.</p>")
    return "".join(parts)


def _title(title: str, heads: Iterable[str], colors: Theme) -> str:
    cells = "".join(
        f"<td align='right' style='color:{colors.muted}'>&nbsp;{html.escape(h)}</td>" for h in heads if h is not None
    )
    return (
        "<table width='100%' cellspacing='0' cellpadding='1' style='margin-top:8px'>"
        f"<tr><td><b>{html.escape(title)}</b></td>{cells}</tr>"
    )


def _shares(title: str, shares: Iterable[Share], colors: Theme) -> str:
    def tr(text: str) -> str:
        return QCoreApplication.translate("ReportText", text)

    rows = [_title(title, (tr("here"), tr("else"), ""), colors)]
    for s in shares:
        rows.append(_row(s.name, percent(s.inside), percent(s.outside), _bar(s.inside, s.outside), colors))
    return "".join(rows) + "</table>"


def _difference(d: Difference, colors: Theme) -> str:
    name = f"{d.name} / {d.unit}" if d.unit else d.name
    if d.alike:
        name += f" ({', '.join(d.alike)})"
    if math.isinf(d.shift):
        shift = "↑" if d.shift > 0 else "↓"
    else:
        shift = f"{'↑' if d.shift > 0 else '↓'} {abs(d.shift):.1f} σ"
    return _row(name, number(d.inside), number(d.outside), html.escape(shift), colors)


def _row(name: str, inside: str, outside: str, last: str, colors: Theme) -> str:
    return (
        f"<tr><td>{html.escape(name)}</td><td align='right'>&nbsp;{html.escape(inside)}</td>"
        f"<td align='right' style='color:{colors.muted}'>&nbsp;{html.escape(outside)}</td>"
        f"<td align='right' style='white-space:nowrap'>&nbsp;{last}</td></tr>"
    )


def _bar(inside: float, outside: float) -> str:
    """The picture that :meth:`ReportText.loadResource` draws."""
    return f"<img src='bar:{inside:.4f},{outside:.4f}' width='{BAR}' height='{BAR_HEIGHT}'>"


def bar_picture(inside: float, outside: float, colors: Theme, ratio: float) -> QImage:
    """The share inside as a bar, a tick at the share elsewhere; `ratio`: pixels of the screen to one of the window."""
    image = QImage(round(BAR * ratio), round(BAR_HEIGHT * ratio), QImage.Format.Format_ARGB32_Premultiplied)
    image.setDevicePixelRatio(ratio)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    painter.fillRect(QRectF(0, 2, BAR, BAR_HEIGHT - 4), QColor(colors.grid))
    painter.fillRect(QRectF(0, 2, BAR * inside, BAR_HEIGHT - 4), QColor(colors.point))
    painter.fillRect(QRectF((BAR - 2) * outside, 0, 2, BAR_HEIGHT), QColor(colors.foreground))
    painter.end()
    return image


def percent(share: float) -> str:
    """A share as it is said in tables."""
    value = 100 * share
    return f"{value:.0f} %" if value >= 9.95 or value == 0 else f"{value:.1f} %"


def number(value: float) -> str:
    """Four significant digits with a real minus sign."""
    return f"{value:.4g}".replace("-", "−", 1) if value < 0 else f"{value:.4g}"

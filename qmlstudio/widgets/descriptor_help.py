"""What a representation is, in a window beside the work: words, formulas, parameters, properties, literature."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QCoreApplication, Qt, QUrl
from PySide6.QtGui import QImage, QTextDocument
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QTextBrowser, QVBoxLayout, QWidget

from qmlstudio.parameters import Param
from qmlstudio.representations.base import Representation
from qmlstudio.widgets.theme import rgb, theme

Ink = NDArray[np.uint8]
FORMULA_PIXELS = 19.0
"""Size of the formulas' letters, px."""
_DOI = re.compile(r"doi:\s*(10\.\d{4,9}/[^\s;,]*[^\s;,.])", re.IGNORECASE)


def said(text: str) -> str:
    """A declared text in the user's language."""
    return QCoreApplication.translate("Parameters", text) if text else ""


@dataclass(frozen=True)
class About:
    """Plain data of the page.

    Attributes
    ----------
    title, help, reference : str
    formula : tuple of str
        Lines of TeX; shown as they are until :meth:`AboutDialog.set_formulas` brings their pictures.
    parameters : tuple of (label, value, unit, meaning)
    properties : tuple of (name, value)
    """

    title: str
    help: str
    reference: str
    formula: tuple[str, ...] = ()
    parameters: tuple[tuple[str, str, str, str], ...] = ()
    properties: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, representation: Representation) -> About:
        """The page of a representation with its present values."""
        rows = []
        for p in representation.params():
            value = getattr(representation, p.name)
            rows.append((said(p.label), _written(p, value), p.unit, said(p.help)))
        return cls(
            representation.title,
            representation.help,
            representation.reference,
            representation.formula,
            tuple(rows),
            _properties(representation),
        )


class AboutDialog(QDialog):
    """Does not block. The literature's link opens the browser when it is clicked, and nothing else asks the network."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._about: About | None = None
        self._inks: tuple[Ink | None, ...] = ()
        self._ratio = 1.0
        self._dark = False
        self.browser = QTextBrowser()
        self.browser.setOpenExternalLinks(True)
        self.browser.setFrameShape(QTextBrowser.Shape.NoFrame)
        self.browser.setAccessibleName(self.tr("About the representation"))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(self.browser)
        layout.addWidget(buttons)
        self.resize(640, 680)

    def about(self) -> About | None:
        """What is shown."""
        return self._about

    def set_about(self, about: About) -> None:
        """Show a page; formulas as text until their pictures come. The place in the page is kept for the same one."""
        if about == self._about:
            return
        same = self._about is not None and self._about.title == about.title
        if not same or self._about is None or self._about.formula != about.formula:
            self._inks = ()
        self._about = about
        self.setWindowTitle(about.title)
        self._render(keep=same)

    def set_formulas(self, inks: Sequence[Ink | None], ratio: float) -> None:
        """The formulas' ink, (height, width) uint8 each, for a screen of this device pixel ratio; None: as text."""
        self._inks, self._ratio = tuple(inks), ratio
        self._render(keep=True)

    def set_dark(self, dark: bool) -> None:
        """Dark or light colours."""
        if dark != self._dark:
            self._dark = dark
            self._render(keep=True)

    def _render(self, keep: bool) -> None:
        if self._about is None:
            return
        place = self.browser.verticalScrollBar().value() if keep else 0
        document = self.browser.document()
        document.clear()
        for k, ink in enumerate(self._inks):
            if ink is not None:
                picture = ink_image(ink, theme(self._dark).foreground, self._ratio)
                document.addResource(QTextDocument.ResourceType.ImageResource, QUrl(f"formula:{k}"), picture)
        self.browser.setHtml(self._html(self._about))
        self.browser.verticalScrollBar().setValue(place)

    def _html(self, about: About) -> str:
        colors = theme(self._dark)
        head = f"<h2>{html.escape(about.title)}</h2>"
        words = "".join(f"<p>{html.escape(part)}</p>" for part in about.help.split("\n\n") if part.strip())
        lines = []
        for k, line in enumerate(about.formula):
            ink = self._inks[k] if k < len(self._inks) else None
            if ink is None:
                lines.append(f"<p align='center'><code>{html.escape(line)}</code></p>")
                continue
            high, wide = (side / self._ratio for side in ink.shape)
            shrink = min(1.0, 580.0 / max(wide, 1.0))
            sides = f"width='{wide * shrink:.0f}' height='{high * shrink:.0f}'"
            lines.append(f"<p align='center'><img src='formula:{k}' {sides}></p>")
        page = head + words + "".join(lines)
        if about.parameters:
            page += f"<h3>{html.escape(self.tr('Parameters'))}</h3>" + _table(
                [
                    (f"<b>{html.escape(a)}</b>", html.escape(b), html.escape(c), html.escape(d))
                    for a, b, c, d in about.parameters
                ],
                (self.tr("name"), self.tr("value"), self.tr("unit"), self.tr("meaning")),
                colors.muted,
            )
        if about.properties:
            page += f"<h3>{html.escape(self.tr('Properties'))}</h3>" + _table(
                [(html.escape(a), html.escape(b)) for a, b in about.properties], (), colors.muted
            )
        if about.reference:
            page += f"<h3>{html.escape(self.tr('Literature'))}</h3><p>{linked(about.reference, colors.pin)}</p>"
        return page


def _written(param: Param, value: Any) -> str:
    if value is None:
        return said(param.none_label)
    for choice, text in param.choices:
        if choice == value:
            return said(text)
    if isinstance(value, bool):
        return QCoreApplication.translate("ParameterForm", "on" if value else "off")
    return f"{value:.10g}" if isinstance(value, float | int) else str(value)


def _properties(representation: Representation) -> tuple[tuple[str, str], ...]:
    """What a representation does not see, what becomes of crystals, whether forces can be had."""

    def tr(text: str) -> str:
        return QCoreApplication.translate("AboutDialog", text)

    same = representation.invariances
    words = {
        "translation": tr("translation"),
        "rotation": tr("rotation"),
        "reflection": tr("reflection"),
        "permutation": tr("order of the atoms"),
    }
    kept = [text for key, text in words.items() if key in same] + sorted(same - set(words))
    lost = [text for key, text in words.items() if key not in same]
    unchanged = ", ".join(kept) or tr("nothing")
    if lost:
        unchanged += tr("; changes with {}").format(", ".join(lost))
    crystals = {
        "ignored": tr("the cell is ignored"),
        "images": tr("all images within reach count"),
        "required": tr("needed: it describes crystals only"),
    }[representation.periodic]
    return (
        (tr("unchanged under"), unchanged),
        (tr("crystals"), crystals),
        (tr("rows"), tr("one for each atom") if representation.local else tr("one for each structure")),
        (tr("gradient"), tr("analytical") if representation.has_gradient else tr("none")),
        (tr("map"), tr("none: compared by its kernel only") if representation.kernel_only else tr("yes")),
    )


def ink_image(ink: Ink, color: str, ratio: float) -> QImage:
    """Ink in a colour on nothing."""
    pixels: NDArray[Any] = np.empty((*ink.shape, 4), dtype=np.uint8)
    pixels[..., :3] = rgb(color)[::-1]
    pixels[..., 3] = ink
    high, wide = ink.shape
    image = QImage(pixels.tobytes(), wide, high, 4 * wide, QImage.Format.Format_ARGB32).copy()
    image.setDevicePixelRatio(ratio)
    return image


def linked(reference: str, color: str) -> str:
    """HTML of a reference in which every DOI is a link."""

    def link(found: re.Match[str]) -> str:
        doi = found.group(1)
        return f'<a href="https://doi.org/{doi}" style="color:{color}">doi:{doi}</a>'

    return _DOI.sub(link, html.escape(reference))


def _table(rows: Sequence[Sequence[str]], head: Sequence[str], muted: str) -> str:
    """Cells are HTML already."""
    page = "<table cellspacing='0' cellpadding='4'>"
    if head:
        cells = "".join(f"<td style='color:{muted}'>{html.escape(word)}</td>" for word in head)
        page += f"<tr>{cells}</tr>"
    for row in rows:
        page += "<tr>" + "".join(f"<td valign='top'>{cell}</td>" for cell in row) + "</tr>"
    return page + "</table>"

"""Export a view for print: what the preview shows is what is written."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QGuiApplication, QPixmap, QResizeEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
)

from qmlstudio.app.jobs import Job
from qmlstudio.figures.presets import FigureSpec
from qmlstudio.parameters import Parameterised
from qmlstudio.progress import Progress
from qmlstudio.widgets.parameter_form import ParameterForm

if TYPE_CHECKING:
    from qmlstudio.shell.main_window import MainWindow

_last_spec = FigureSpec()
LEARNING = ("curves", "parity", "search")
"""Views of the learning panel."""
KERNEL = "kernel"
"""View of the kernel panel."""


class ExportDialog(QDialog):
    """View, preset and format at the left, the figure as it will be written at the right."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.setWindowTitle(self.tr("Export figure"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._window = window
        self._spec = _last_spec
        self._picture = QPixmap()
        self._view = QComboBox()
        for value, text in (
            ("map", self.tr("Map")),
            ("structure", self.tr("Structure")),
            ("descriptor", self.tr("Descriptor")),
            ("curves", self.tr("Learning curves")),
            ("parity", self.tr("Predicted against true values")),
            ("search", self.tr("Search of σ and λ")),
            ("kernel", self.tr("Kernel matrix")),
        ):
            self._view.addItem(text, value)
        self._vision = QComboBox()
        for value, text in (
            ("normal", self.tr("normal")),
            ("deutan", self.tr("deuteranopia")),
            ("protan", self.tr("protanopia")),
            ("tritan", self.tr("tritanopia")),
            ("grey", self.tr("grey")),
        ):
            self._vision.addItem(text, value)
        self._vision.setToolTip(self.tr("Only the preview: how others, or a black-and-white printer, see it"))
        self._insets = QCheckBox(self.tr("Pinned structures below the map"))
        self._insets.setChecked(True)
        self._active = QCheckBox(self.tr("Ring of the active structure"))
        self._visible_part = QCheckBox(self.tr("Only the visible part of the map"))
        self._rendered = QCheckBox(self.tr("The 3D view's picture instead of vectors"))
        self._form = ParameterForm()
        self._form.set_value(self._spec)
        self._preview = QLabel(self.tr("Drawing…"))
        self._preview.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._preview.setMinimumSize(420, 340)
        self._size = QLabel()
        self._size.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._caption = QLabel()
        self._caption.setWordWrap(True)
        self._caption.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        copy = QPushButton(self.tr("Copy caption"))
        copy.clicked.connect(self._on_copy_clicked)
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Save | QDialogButtonBox.StandardButton.Close)
        self._buttons.accepted.connect(self._on_buttons_accepted)
        self._buttons.rejected.connect(self.reject)
        self._buttons.addButton(copy, QDialogButtonBox.ButtonRole.ActionRole)
        options = QFormLayout()
        options.addRow(self.tr("View"), self._view)
        left = QVBoxLayout()
        left.addLayout(options)
        for box in (self._insets, self._active, self._visible_part, self._rendered):
            left.addWidget(box)
            box.toggled.connect(self._request)
        left.addWidget(self._form)
        seen = QFormLayout()
        seen.addRow(self.tr("Preview as seen with"), self._vision)
        left.addLayout(seen)
        left.addStretch()
        right = QVBoxLayout()
        right.addWidget(self._preview, 1)
        right.addWidget(self._size)
        right.addWidget(self._caption)
        middle = QHBoxLayout()
        middle.addLayout(left)
        middle.addLayout(right, 1)
        layout = QVBoxLayout(self)
        layout.addLayout(middle, 1)
        layout.addWidget(self._buttons)
        self.resize(960, 660)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(120)
        self._timer.timeout.connect(self._draw)
        self._view.currentIndexChanged.connect(self._request)
        self._vision.currentIndexChanged.connect(self._request)
        self._form.value_changed.connect(self._on_form_value_changed)
        self._request()

    # -- the preview

    def _on_form_value_changed(self, value: Parameterised) -> None:
        global _last_spec
        if isinstance(value, FigureSpec):
            self._spec = _last_spec = value
            self._request()

    def _request(self, *_: object) -> None:
        view = self._view.currentData()
        self._insets.setVisible(view == "map")
        self._active.setVisible(view == "map")
        self._visible_part.setVisible(view == "map")
        self._rendered.setVisible(view == "structure")
        self._timer.start()

    def _inputs(self, spec: FigureSpec) -> dict[str, Any]:
        """Everything that the drawing needs, taken in the main thread."""
        window, view = self._window, self._view.currentData()
        store = window.store
        results = {name: store.result(name) for name in ("features", "map", "filter")}
        results["columns"] = store.columns
        options: dict[str, Any] = {"insets": self._insets.isChecked(), "picked": store.picked}
        options["mark_active"] = self._active.isChecked()
        if view == "map" and self._visible_part.isChecked():
            options["limits"] = window.map_view.scatter.range
        if view == "descriptor":
            options |= window.descriptor_view.figure_options()
        if view == "structure":
            canvas = window.structure_view.canvas
            options["rotation"] = window.structure_view.rotation
            if self._rendered.isChecked():
                from qmlstudio.figures import image_size

                options["image"] = _pixels(canvas.grab_image(*image_size(spec), transparent=True))
        if view in LEARNING:
            options = {"learning": window.panels.learning.figure_inputs()}
        if view == KERNEL:
            options = {"kernel": window.panels.kernel.figure_inputs()}
        return {
            "view": view,
            "session": store.session,
            "dataset": store.dataset,
            "results": results,
            "spec": spec,
            **options,
        }

    def _draw(self) -> None:
        inputs = self._inputs(self._spec)
        if inputs["dataset"] is None:
            return
        self._caption.setText(_caption(inputs))
        width, height = self._spec.width_cm, self._spec.height_cm
        self._size.setText(self.tr("{:.2f} × {:.2f} cm, {}").format(width, height, self._spec.format.upper()))
        self._window.runner.submit(
            Job(
                key=f"preview {id(inputs)}",
                slot="preview",
                title=self.tr("Preview"),
                compute=partial(_render_preview, inputs, self._vision.currentData()),
                done=self._on_preview_done,
                failed=self._on_failed,
                lane="interactive",
            )
        )

    def _on_preview_done(self, png: bytes) -> None:
        self._picture.loadFromData(png)
        self._show_picture()

    def _show_picture(self) -> None:
        if not self._picture.isNull():
            ratio = self.devicePixelRatioF()
            scaled = self._picture.scaled(
                self._preview.size() * ratio,
                Qt.AspectRatioMode.KeepAspectRatio,
                Qt.TransformationMode.SmoothTransformation,
            )
            scaled.setDevicePixelRatio(ratio)
            self._preview.setPixmap(scaled)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._show_picture()

    def _on_failed(self, error: BaseException, details: str) -> None:
        self._preview.setText(self.tr("⚠ {}").format(error))
        self._preview.setToolTip(details)

    # -- writing

    def _on_copy_clicked(self) -> None:
        QGuiApplication.clipboard().setText(self._caption.text())

    def _on_buttons_accepted(self) -> None:
        window, spec = self._window, self._spec
        name = f"{window.store.session.dataset.name or 'figure'}-{self._view.currentData()}.{spec.format}"
        filters = {
            "svg": self.tr("SVG (*.svg)"),
            "pdf": self.tr("PDF (*.pdf)"),
            "png": self.tr("PNG (*.png)"),
            "tiff": self.tr("TIFF (*.tif *.tiff)"),
        }
        path, _ = QFileDialog.getSaveFileName(
            self,
            self.tr("Export figure"),
            str(Path(window.preferences.last_folder) / name),
            ";;".join(filters.values()),
            filters[spec.format],
        )
        if path:
            self.write(path)

    def write(self, path: str) -> None:
        """Write the figure in a job; the status bar tells when it is done."""
        window = self._window
        window.preferences.last_folder = str(Path(path).parent)
        window.runner.submit(
            Job(
                key=f"figure {path}",
                slot="figure",
                title=self.tr("Figure {}").format(Path(path).name),
                compute=partial(_write, self._inputs(self._spec), path),
                done=partial(_tell, window),
                failed=window.on_job_failed,
                lane="interactive",
                priority=20,
            )
        )
        self.accept()

    def done(self, code: int) -> None:
        self._timer.stop()
        self._window.runner.cancel("preview")
        super().done(code)


def _tell(window: MainWindow, path: Path) -> None:
    window.statusBar().showMessage(window.tr("Wrote {}").format(path), 8000)


def _render_preview(inputs: dict[str, Any], vision: Any, progress: Progress) -> bytes:
    from qmlstudio.figures import preview_png

    figure = _figure(inputs, progress)
    progress.check()
    return preview_png(figure, inputs["spec"], dpi=160, vision=vision)


def _write(inputs: dict[str, Any], path: str, progress: Progress) -> Path:
    from qmlstudio.figures import save

    figure = _figure(inputs, progress)
    progress.check()
    recipe = {"session": inputs["session"].to_dict(), "view": inputs["view"]}
    return save(figure, path, inputs["spec"], recipe=recipe, title=_caption(inputs))


def _figure(inputs: dict[str, Any], progress: Progress) -> Any:
    if inputs["view"] in LEARNING:
        from qmlstudio.figures.learning import learning_figure

        return learning_figure(inputs["view"], inputs["spec"], **inputs["learning"])
    if inputs["view"] == KERNEL:
        from qmlstudio.figures.kernel import kernel_figure

        return kernel_figure(inputs["spec"], **inputs["kernel"], progress=progress)
    from qmlstudio.figures.views import view_figure

    return view_figure(**inputs)


def _caption(inputs: dict[str, Any]) -> str:
    if inputs["view"] in LEARNING:
        from qmlstudio.figures.learning import learning_caption

        return learning_caption(inputs["view"], inputs["dataset"], **inputs["learning"])
    if inputs["view"] == KERNEL:
        from qmlstudio.figures.kernel import kernel_caption

        return kernel_caption(inputs["dataset"], **inputs["kernel"])
    from qmlstudio.figures.views import view_caption

    return view_caption(inputs["view"], inputs["session"], inputs["dataset"], inputs["results"]["columns"])


def _pixels(image: Any) -> np.ndarray:
    """A QImage as (H, W, 4) uint8."""
    from PySide6.QtGui import QImage

    rgba = image.convertToFormat(QImage.Format.Format_RGBA8888)
    rows = np.frombuffer(rgba.constBits(), dtype=np.uint8).reshape(rgba.height(), rgba.bytesPerLine())
    return rows[:, : 4 * rgba.width()].reshape(rgba.height(), rgba.width(), 4).copy()

"""Drawing of structures with OpenGL through vispy's gloo, off screen, at any size.

Every capsule is one rectangle whose pixels intersect the eye's ray with the exact capsule (an impostor): atoms and
bonds are perfectly round at every zoom, write the depth of their surface and so occlude each other rightly, and cost
four vertices each. Edges are smoothed by their coverage of the pixel; the rectangles are drawn from back to front for
that.

The picture is drawn into a framebuffer and handed over as a QImage: the window stays an ordinary widget (no native
OpenGL child that flickers when it is created late, or loses its context when it is moved to another window), and a
figure at 600 dpi takes the same path as the screen.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QGuiApplication, QImage, QOffscreenSurface, QOpenGLContext
from shiboken6 import isValid

from qmlstudio.widgets.molecule_scene import FOG, HALO, LIGHT, OUTLINE_WIDTH, Capsules, Shot

NO_GL_PLATFORMS: Final = ("offscreen", "minimal", "vnc", "linuxfb")

# ASCII only: drivers take the length of the source in bytes, gloo gives it in characters
VERTEX: Final = """
uniform mat4 u_view;
uniform vec2 u_scale;       // from angstrom at the pivot to clip coordinates
uniform vec2 u_offset;      // pan, angstrom
uniform float u_distance;   // of the eye, angstrom
uniform float u_perspective;
uniform float u_pixel;      // angstrom per pixel at the pivot
attribute vec3 a_start;
attribute vec3 a_end;
attribute float a_radius;
attribute vec3 a_first;
attribute vec3 a_second;
attribute float a_kind;
attribute vec2 a_corner;
varying vec3 v_start;
varying vec3 v_end;
varying vec3 v_first;
varying vec3 v_second;
varying vec2 v_shape;       // radius, kind
varying vec2 v_plane;       // angstrom in the plane of the pivot

float nearness(vec3 p) {
    return u_perspective > 0.5 ? u_distance / max(u_distance - p.z, 0.05 * u_distance) : 1.0;
}

// how far the outline of a ball reaches from its centre's picture, away from the middle (where it reaches farthest)
float reach(vec3 p, float r) {
    if (u_perspective < 0.5) return r;
    float deep = max(u_distance - p.z, 0.05 * u_distance);
    float far = length(p.xy);
    float to = sqrt(deep * deep + far * far);
    float slope = far / deep;
    float spread = min(r / to, 0.95);
    float t = spread / sqrt(1.0 - spread * spread);
    return u_distance * (1.0 + slope * slope) * t / max(1.0 - slope * t, 0.1);
}

void main() {
    v_start = (u_view * vec4(a_start, 1.0)).xyz;
    v_end = (u_view * vec4(a_end, 1.0)).xyz;
    v_first = a_first;
    v_second = a_second;
    v_shape = vec2(a_radius, a_kind);
    vec2 from = v_start.xy * nearness(v_start);
    vec2 to = v_end.xy * nearness(v_end);
    float margin = max(reach(v_start, a_radius), reach(v_end, a_radius)) + 1.5 * u_pixel;
    vec2 axis = to - from;
    float span = length(axis);
    axis = span > 1e-5 ? axis / span : vec2(1.0, 0.0);
    vec2 side = vec2(-axis.y, axis.x);
    vec2 at = a_corner.x < 0.0 ? from : to;
    v_plane = at + margin * (a_corner.x * axis + a_corner.y * side);
    // upside down: the first row that is read back is then the upper one
    gl_Position = vec4(u_scale.x * (v_plane.x + u_offset.x), -u_scale.y * (v_plane.y + u_offset.y), 0.0, 1.0);
}
"""

FRAGMENT: Final = """
uniform float u_distance;
uniform float u_perspective;
uniform float u_pixel;
uniform float u_range;      // angstrom in front of and behind the pivot that the depth buffer holds
uniform float u_extent;     // radius of the structure, angstrom
uniform float u_fog;
uniform vec3 u_light;       // direction of the light, view coordinates
uniform float u_rim;        // width of the outline, pixels
uniform vec4 u_outline;
uniform vec3 u_background;
varying vec3 v_start;
varying vec3 v_end;
varying vec3 v_first;
varying vec3 v_second;
varying vec2 v_shape;
varying vec2 v_plane;

void main() {
    vec3 origin = vec3(v_plane, u_distance);
    vec3 ray = vec3(0.0, 0.0, -1.0);
    if (u_perspective > 0.5) {
        origin = vec3(0.0, 0.0, u_distance);
        ray = normalize(vec3(v_plane, -u_distance));
    }
    float radius = v_shape.x;
    float kind = v_shape.y;
    // start near the capsule: differences of large squares would cost all digits
    vec3 middle = 0.5 * (v_start + v_end);
    origin += ray * dot(middle - origin, ray);

    vec3 ba = v_end - v_start;
    vec3 oa = origin - v_start;
    float baba = dot(ba, ba);
    float bard = dot(ba, ray);
    float baoa = dot(ba, oa);
    float rdoa = dot(ray, oa);
    bool is_long = baba > 1e-8;

    // nearest approach of ray and axis: what share of this pixel is covered
    float across = baba - bard * bard;
    float s = 0.0;
    if (is_long) {
        s = across > 1e-6 * baba ? (baoa - bard * rdoa) / across : (bard > 0.0 ? 0.0 : 1.0);
        s = clamp(s, 0.0, 1.0);
    }
    vec3 on_axis = v_start + s * ba;
    vec3 apart = on_axis - origin;
    float closest = dot(apart, ray);
    float miss = length(apart - closest * ray);
    float pixel = u_pixel * (u_perspective > 0.5 ? max(u_distance - on_axis.z, 0.0) / u_distance : 1.0);
    float inside = (radius - miss) / pixel;
    float cover = clamp(inside + 0.5, 0.0, 1.0);
    if (cover <= 0.0) discard;

    // first point of the surface; beyond the rim the nearest one stands in
    float t;
    float h;
    float share = s;
    vec3 core = on_axis;
    if (is_long) {
        float a = max(across, 1e-9);
        float b = baba * rdoa - baoa * bard;
        float c = baba * dot(oa, oa) - baoa * baoa - radius * radius * baba;
        h = b * b - a * c;
        t = (-b - sqrt(max(h, 0.0))) / a;
        share = (baoa + t * bard) / baba;
        if (across <= 1e-6 * baba || share < 0.0 || share > 1.0) {
            share = across <= 1e-6 * baba ? s : clamp(share, 0.0, 1.0);
            core = v_start + step(0.5, share) * ba;
            vec3 oc = origin - core;
            float bb = dot(ray, oc);
            h = bb * bb - dot(oc, oc) + radius * radius;
            t = -bb - sqrt(max(h, 0.0));
        } else {
            core = v_start + share * ba;
        }
    } else {
        h = rdoa * rdoa - dot(oa, oa) + radius * radius;
        t = -rdoa - sqrt(max(h, 0.0));
    }
    vec3 hit = origin + t * ray;
    vec3 normal = normalize(hit - core);

    float seam = is_long ? clamp(0.5 + (share - 0.5) * sqrt(baba) / pixel, 0.0, 1.0) : 0.0;
    vec3 color = mix(v_first, v_second, seam);
    float z = hit.z;
    if (kind > 1.5) {
        // halos lie behind their atom, lines are flat
        if (kind < 2.5) z = on_axis.z - radius;
    } else {
        float diffuse = max(0.5 + 0.5 * dot(normal, u_light), 0.0);
        float gloss = pow(max(dot(normal, normalize(u_light - ray)), 0.0), 48.0);
        color = color * (0.36 + 0.70 * diffuse * diffuse) + vec3(0.30 * gloss);
        float rim = 1.0 - clamp((inside - u_rim + 0.5), 0.0, 1.0);
        color = mix(color, u_outline.rgb, rim * u_outline.a);
    }
    float far = clamp((0.35 * u_extent - z) / (1.35 * u_extent), 0.0, 1.0);
    color = mix(clamp(color, 0.0, 1.0), u_background, u_fog * far);
    gl_FragDepth = clamp(0.5 - 0.5 * z / u_range, 0.0, 1.0);
    // blue, green, red, alpha is what QImage holds in memory
    gl_FragColor = vec4(color.bgr * cover, cover);
}
"""

_VERTEX_TYPE: Final = np.dtype(
    [
        ("a_start", np.float32, 3),
        ("a_end", np.float32, 3),
        ("a_radius", np.float32),
        ("a_first", np.float32, 3),
        ("a_second", np.float32, 3),
        ("a_kind", np.float32),
        ("a_corner", np.float32, 2),
    ]
)
_CORNERS: Final = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], dtype=np.float32)
_TRIANGLES: Final = np.array([0, 1, 2, 0, 2, 3], dtype=np.uint32)


class NoOpenGLError(RuntimeError):
    """OpenGL cannot be used here; the message says why."""


def loading() -> Iterator[None]:
    """Loads vispy and the OpenGL driver, in steps for who wants to do something else in between.

    What fails here fails again, and is told, when a renderer is made.
    """
    if QGuiApplication.platformName() not in NO_GL_PLATFORMS:
        with contextlib.suppress(ImportError):
            import vispy.gloo  # noqa: F401
        yield
        QOpenGLContext().create()
        yield


class GLRenderer:
    """Draws capsules with OpenGL into images.

    To be made and used in the main thread, after the QApplication; vispy is imported only here.

    Raises
    ------
    NoOpenGLError
        If there is no OpenGL, or it does not draw what it should.
    """

    name = "opengl"

    def __init__(self) -> None:
        platform = QGuiApplication.platformName()
        if platform in NO_GL_PLATFORMS:
            raise NoOpenGLError(f"the platform “{platform}” has no OpenGL")
        self._context = QOpenGLContext()
        if not self._context.create():
            raise NoOpenGLError("no OpenGL context could be made")
        self._surface = QOffscreenSurface()
        self._surface.setFormat(self._context.format())
        self._surface.create()
        self._canvas: Any = None
        self._objects: list[Any] = []
        self._frame: Any = None
        self._size = (0, 0)
        self._count = 0
        self._middle = np.zeros((0, 3))
        self._behind = np.zeros(0)
        self.max_size = 2048
        try:
            self._make_current()
            self._set_up()
            self._try_out()
        except NoOpenGLError:
            self.close()
            raise
        except Exception as error:
            # whatever a driver does on a strange machine: the painter draws instead
            self.close()
            raise NoOpenGLError(f"OpenGL failed: {error}".splitlines()[0]) from error
        self._context.doneCurrent()

    @property
    def description(self) -> str:
        """The OpenGL version and driver."""
        return str(self._version)

    def set_capsules(self, capsules: Capsules) -> None:
        """What the next pictures show."""
        m = len(capsules)
        data = np.empty((m, 4), dtype=_VERTEX_TYPE)
        data["a_start"] = capsules.start[:, None]
        data["a_end"] = capsules.end[:, None]
        data["a_radius"] = capsules.radius[:, None]
        data["a_first"] = capsules.first[:, None]
        data["a_second"] = capsules.second[:, None]
        data["a_kind"] = capsules.kind[:, None]
        data["a_corner"] = _CORNERS
        self._middle = (capsules.start + capsules.end) / 2
        # a ring is drawn before its atom, whose smoothed edge then lies on the ring and not on the background
        self._behind = np.where(capsules.kind == HALO, capsules.radius, 0.0)
        self._count = m
        if m:
            # a copy: gloo uploads when it draws
            self._vertices.set_data(data.reshape(-1), copy=False)

    def image(self, shot: Shot) -> QImage:
        """The picture; `QImage.Format_RGB32`, or premultiplied ARGB when it is transparent.

        Raises
        ------
        NoOpenGLError
            If the context is lost.
        """
        width, height = max(shot.width, 1), max(shot.height, 1)
        if max(width, height) > self.max_size:
            raise NoOpenGLError(f"an image of {width} × {height} pixels; this machine's OpenGL draws {self.max_size}")
        self._make_current()
        try:
            return self._draw(shot, width, height)
        except RuntimeError as error:
            raise NoOpenGLError(f"OpenGL failed: {error}".splitlines()[0]) from error
        finally:
            self._context.doneCurrent()

    def close(self) -> None:
        """Frees the OpenGL objects and the context; nothing can be drawn afterwards. May be called twice."""
        if self._canvas is not None:
            from vispy.gloo.context import forget_canvas

            # when the application ends, Qt may have deleted the context before
            if isValid(self._context) and isValid(self._surface) and self._context.makeCurrent(self._surface):
                for item in self._objects:
                    item.delete()
                self._canvas.flush()
                self._context.doneCurrent()
            forget_canvas(self._canvas)
            self._canvas = None
            self._objects.clear()
        if isValid(self._surface):
            self._surface.destroy()

    # -- inside ------------------------------------------------------------------------------------------------------

    def _make_current(self) -> None:
        if not self._context.makeCurrent(self._surface):
            raise NoOpenGLError("the OpenGL context is lost")
        if self._canvas is not None:
            from vispy.gloo.context import set_current_canvas

            set_current_canvas(self._canvas)

    def _set_up(self) -> None:
        from vispy import gloo
        from vispy.gloo.context import FakeCanvas

        self._gl = gloo.gl
        self._version = f"{gloo.gl.glGetParameter(gloo.gl.GL_VERSION)} {gloo.gl.glGetParameter(gloo.gl.GL_RENDERER)}"
        # the queue of gloo's commands; without vispy.app there are no timers and no second event loop
        self._canvas = FakeCanvas()
        self._program = gloo.Program(VERTEX, FRAGMENT)
        self._vertices = gloo.VertexBuffer(np.zeros(4, dtype=_VERTEX_TYPE))
        self._order = gloo.IndexBuffer(_TRIANGLES)
        self._program.bind(self._vertices)
        self._color = gloo.RenderBuffer((8, 8), "color")
        self._depth = gloo.RenderBuffer((8, 8), "depth")
        self._frame = gloo.FrameBuffer(self._color, self._depth)
        self._objects = [self._program, self._vertices, self._order, self._frame, self._color, self._depth]
        self._gloo = gloo
        largest = int(np.ravel(gloo.gl.glGetParameter(0x84E8))[0])  # GL_MAX_RENDERBUFFER_SIZE
        self.max_size = max(largest, 1024)

    def _try_out(self) -> None:
        """Draws one red ball: a driver that takes everything and paints nothing is found here."""
        from qmlstudio.widgets.camera import Camera

        self.set_capsules(Capsules.of([[0, 0, 0]], [[0, 0, 0]], 4.0, (1.0, 0.0, 0.0), 3))
        picture = self._draw(Shot(Camera(height=10.0), 16, 16, transparent=True), 16, 16)
        middle, corner = picture.pixelColor(8, 8), picture.pixelColor(0, 0)
        if middle.red() < 100 or middle.blue() > middle.red() or corner.alpha() != 0:
            raise NoOpenGLError("OpenGL draws wrongly on this machine")
        self._count = 0

    def _draw(self, shot: Shot, width: int, height: int) -> QImage:
        gloo = self._gloo
        if self._size != (width, height):
            self._color.resize((height, width))
            self._depth.resize((height, width))
            self._size = (width, height)
        with self._frame:
            gloo.set_viewport(0, 0, width, height)
            gloo.set_state(depth_test=True, blend=True, cull_face=False, scissor_test=False)
            gloo.set_depth_func("lequal")
            gloo.set_blend_func("one", "one_minus_src_alpha")
            r, g, b = shot.background
            gloo.set_clear_color((0.0, 0.0, 0.0, 0.0) if shot.transparent else (b, g, r, 1.0))
            gloo.clear(color=True, depth=True)
            if self._count:
                self._set_uniforms(shot, width, height)
                self._order.set_data(self._back_to_front(shot))
                self._program.draw("triangles", self._order)
            self._canvas.flush()
            raw = self._gl.glReadPixels(0, 0, width, height, self._gl.GL_RGBA, self._gl.GL_UNSIGNED_BYTE)
        kind = QImage.Format.Format_ARGB32_Premultiplied if shot.transparent else QImage.Format.Format_RGB32
        # a copy: the image must outlive the buffer
        return QImage(bytes(raw), width, height, 4 * width, kind).copy()

    def _back_to_front(self, shot: Shot) -> NDArray[np.uint32]:
        depth = self._middle @ shot.camera.matrix[2] - self._behind
        order = np.argsort(depth, kind="stable").astype(np.uint32)
        return np.asarray((order[:, None] * np.uint32(4) + _TRIANGLES).reshape(-1))

    def _set_uniforms(self, shot: Shot, width: int, height: int) -> None:
        camera, program = shot.camera, self._program
        unit = camera.pixels_per_angstrom(width, height)
        view = np.eye(4)
        view[:3, :3] = camera.matrix
        view[:3, 3] = -camera.matrix @ np.array(camera.center)
        program["u_view"] = view.T.astype(np.float32)
        program["u_scale"] = (2 * unit / width, 2 * unit / height)
        program["u_offset"] = camera.offset
        program["u_distance"] = camera.distance
        program["u_perspective"] = 1.0 if camera.is_perspective else 0.0
        program["u_pixel"] = 1 / unit
        program["u_range"] = 2.0 * shot.extent + 5.0
        program["u_extent"] = shot.extent
        program["u_light"] = LIGHT
        program["u_fog"] = FOG
        program["u_rim"] = OUTLINE_WIDTH * shot.ratio
        program["u_outline"] = shot.outline
        program["u_background"] = shot.background

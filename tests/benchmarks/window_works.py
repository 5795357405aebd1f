"""Measurements in the real window, each group in a process of its own: ``python window_works.py GROUP RESULT.json``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import window_frames as frames  # noqa: E402
import window_jobs as jobs  # noqa: E402
import window_panels as panels  # noqa: E402
import window_views as views  # noqa: E402
from window_driver import Driver, renderer  # noqa: E402
from window_rows import Row  # noqa: E402

GROUPS: dict[str, Callable[[Driver, bool], list[Row]]] = {
    "stalls": jobs.measure_stalls,
    "warm_up": jobs.measure_warm_up,
    "cancel": jobs.measure_cancel,
    "cancel_warm_up": jobs.measure_cancel_warm_up,
    "map": views.measure_map,
    "frames": frames.measure_frames,
    "hover": views.measure_hover,
    "click": views.measure_click,
    "lasso": views.measure_lasso,
    "filters": panels.measure_filters,
    "gallery": panels.measure_gallery,
    "table": panels.measure_table,
    "live": views.measure_live,
    "memory": views.measure_memory,
}


def main() -> int:
    """Run one group and write its rows."""
    group, result = sys.argv[1], Path(sys.argv[2])
    driver = Driver()
    try:
        rows = GROUPS[group](driver, "--quick" in sys.argv)
        found = {"rows": [row.to_dict() for row in rows], "renderer": renderer()}
        result.write_text(json.dumps(found), encoding="utf-8")
    finally:
        driver.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""docs/representations.md says what the classes say."""

from __future__ import annotations

import importlib.util
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_document_is_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("make_representations_document", DOCS / "make_representations.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written = (DOCS / "representations.md").read_text(encoding="utf-8")
    assert written == module.text(), "run: python docs/make_representations.py"

"""Levels of theory, each a frozen object. Only :mod:`qmlstudio.quantum.engines` imports what they compute with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from typing import Any, ClassVar

from qmlstudio.parameters import Parameterised, digest, param

INSTALL = 'pip install "qmlstudio[qm]"'
BASES = (
    ("sto-3g", "STO-3G"),
    ("3-21g", "3-21G"),
    ("6-31g", "6-31G"),
    ("6-31g*", "6-31G(d)"),
    ("6-31g**", "6-31G(d,p)"),
    ("6-31+g*", "6-31+G(d)"),
    ("6-311g**", "6-311G(d,p)"),
    ("def2-svp", "def2-SVP"),
    ("def2-tzvp", "def2-TZVP"),
    ("cc-pvdz", "cc-pVDZ"),
    ("cc-pvtz", "cc-pVTZ"),
    ("aug-cc-pvdz", "aug-cc-pVDZ"),
)
FUNCTIONALS = (
    ("b3lyp", "B3LYP"),
    ("pbe", "PBE"),
    ("pbe0", "PBE0"),
    ("wb97x", "ωB97X"),
    ("m062x", "M06-2X"),
    ("tpss", "TPSS"),
    ("blyp", "BLYP"),
    ("svwn", "LDA (SVWN)"),
)


class MissingEngineError(ValueError):
    """The package that a method computes with is not installed; the text says how to get it."""


@dataclass(frozen=True, kw_only=True)
class Method(Parameterised):
    """A level of theory."""

    package: ClassVar[str]
    """What computes it: name of the Python package."""

    @property
    def key(self) -> str:
        """Short name for columns: "gfn2", "b3lyp_6_31g_d"."""
        return self.name

    @property
    def label(self) -> str:
        """What people write: "GFN2-xTB", "B3LYP/6-31G(d)"."""
        return self.title

    @classmethod
    def is_available(cls) -> bool:
        """Whether its package is installed. Imports nothing."""
        return find_spec(cls.package) is not None

    @classmethod
    def version(cls) -> str:
        """Version of the package; empty when it is not installed."""
        try:
            return metadata.version(cls.package)
        except metadata.PackageNotFoundError:
            return ""

    @classmethod
    def require(cls) -> None:
        """Raise :class:`MissingEngineError` unless the package is there."""
        if not cls.is_available():
            raise MissingEngineError(f"{cls.title} needs the package {cls.package} → {INSTALL}")

    @property
    def origin(self) -> str:
        """Method, program and its version, for people."""
        return f"{self.label} ({self.package} {self.version()})".replace(" )", ")")

    @property
    def identity(self) -> str:
        """Digest of method, parameters and the program's version: equal ones give equal numbers."""
        return digest(self.to_dict(), self.package, self.version())


@dataclass(frozen=True, kw_only=True)
class Xtb(Method):
    """Extended tight binding."""

    package: ClassVar[str] = "tblite"

    accuracy: float = param(
        1.0,
        label="Accuracy",
        low=1e-4,
        high=1000.0,
        advanced=True,
        help="Factor on the thresholds of self-consistency: smaller is tighter. Optimisations, vibrations and "
        "dynamics use 0.05 at most.",
    )
    electronic_temperature: float = param(
        300.0,
        label="Electronic temperature",
        unit="K",
        low=0.0,
        high=20000.0,
        advanced=True,
        help="Of the Fermi distribution over the orbitals; higher helps where self-consistency is not reached.",
    )
    max_cycles: int = param(250, label="Cycles", low=1, high=10000, advanced=True, help="Of self-consistency, at most.")


@dataclass(frozen=True, kw_only=True)
class GFN2(Xtb):
    """C. Bannwarth, S. Ehlert, S. Grimme, J. Chem. Theory Comput. 15, 1652 (2019)."""

    name: ClassVar[str] = "gfn2"
    title: ClassVar[str] = "GFN2-xTB"


@dataclass(frozen=True, kw_only=True)
class GFN1(Xtb):
    """S. Grimme, C. Bannwarth, P. Shushkov, J. Chem. Theory Comput. 13, 1989 (2017)."""

    name: ClassVar[str] = "gfn1"
    title: ClassVar[str] = "GFN1-xTB"


@dataclass(frozen=True, kw_only=True)
class _Gaussian(Method):
    """With Gaussian basis sets."""

    package: ClassVar[str] = "pyscf"

    basis: str = param("6-31g*", label="Basis set", choices=BASES)
    tolerance: float = param(
        1e-9, label="Convergence", unit="Ha", low=1e-14, high=1e-4, advanced=True, help="Of the energy."
    )
    max_cycles: int = param(100, label="Cycles", low=1, high=10000, advanced=True, help="Of self-consistency, at most.")

    @property
    def _basis_label(self) -> str:
        return dict(BASES)[self.basis]


@dataclass(frozen=True, kw_only=True)
class HartreeFock(_Gaussian):
    """Restricted for closed shells, unrestricted for open ones."""

    name: ClassVar[str] = "hf"
    title: ClassVar[str] = "Hartree–Fock"

    @property
    def key(self) -> str:
        """ "hf_6_31g_d"."""
        return _key(f"hf_{self._basis_label}")

    @property
    def label(self) -> str:
        """ "HF/6-31G(d)"."""
        return f"HF/{self._basis_label}"


@dataclass(frozen=True, kw_only=True)
class DFT(_Gaussian):
    """Kohn–Sham density functional theory: restricted for closed shells, unrestricted for open ones."""

    name: ClassVar[str] = "dft"
    title: ClassVar[str] = "Density functional theory"

    functional: str = param("b3lyp", label="Functional", choices=FUNCTIONALS)
    grid: int = param(3, label="Grid", low=0, high=9, advanced=True, help="Level of the integration grid.")

    @property
    def key(self) -> str:
        """ "b3lyp_6_31g_d"."""
        return _key(f"{self.functional}_{self._basis_label}")

    @property
    def label(self) -> str:
        """ "B3LYP/6-31G(d)"."""
        return f"{dict(FUNCTIONALS)[self.functional].partition(' ')[0]}/{self._basis_label}"


METHODS: dict[str, type[Method]] = {cls.name: cls for cls in (GFN2, GFN1, HartreeFock, DFT)}
"""By short name. The same on the command line, in files and in the program."""


def method_from(data: dict[str, Any]) -> Method:
    """Inverse of :meth:`Method.to_dict`; ValueError when there is none of that name."""
    cls = METHODS.get(str(data.get("name")))
    if cls is None:
        raise ValueError(f"no method {data.get('name')!r}; there are {', '.join(METHODS)}")
    return cls.from_dict(data)


def _key(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", text.lower().replace("+", "p")).strip("_")

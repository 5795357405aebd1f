"""Fingerprints and descriptors of molecular graphs, by RDKit; the graphs come from geometries."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qmlstudio.chem.bonds import bonded_pairs, molecule
from qmlstudio.chem.structures import Structure

Floats = NDArray[np.float64]
Atoms = tuple[int, ...]

MACCS_BITS = 167
"""Keys 1…166 and an unused bit 0, so that bits and keys have the same numbers."""

_MOST_MATCHES = 1000
_SPECIAL_KEYS = {1: "isotope", 125: "more than one aromatic ring", 166: "more than one fragment"}
"""MACCS keys that are no patterns."""

_UNBOUNDED = ("Ipc",)
"""Descriptors that grow exponentially with the molecule; AvgIpc says the same per atom."""


def graph_key(structure: Structure) -> tuple[bytes, bytes]:
    """Atoms and bonds of a structure, whose cell is ignored: equal for frames in which the same atoms are bonded."""
    numbers = np.ascontiguousarray(structure.numbers, np.uint8)
    pairs = bonded_pairs(numbers, structure.positions)
    return numbers.tobytes(), np.ascontiguousarray(pairs, np.int32).tobytes()


@lru_cache(maxsize=1024)
def graph(numbers: bytes, pairs: bytes) -> Any:
    """The RDKit molecule of :func:`graph_key`, without the hydrogens that are no more than substituents.

    Each atom has the property ``atom``: its index in the structure. Bond orders are looked for in every connected
    part after the atoms are put in a canonical order, so that the result does not depend on the file's. Where no orders
    make sense (metals, radicals, more than 60 atoms in one part) the bonds are single and valences are not checked,
    so that every structure has a graph.
    """
    from rdkit import Chem, rdBase

    with rdBase.BlockLogs():
        z = np.frombuffer(numbers, np.uint8)
        bonds = np.frombuffer(pairs, np.int32).reshape(-1, 2)
        order = np.argsort(np.array(Chem.CanonicalRankAtoms(_skeleton(z, bonds), breakTies=True), dtype=np.int64))
        place = np.empty(len(z), np.int32)
        place[order] = np.arange(len(z))
        z, bonds = z[order], np.sort(place[bonds].reshape(-1, 2), axis=1)
        bonds = bonds[np.lexsort((bonds[:, 1], bonds[:, 0]))]
        whole = Chem.RWMol()
        for part in sorted(Chem.GetMolFrags(_skeleton(z, bonds))):
            atoms = np.array(part)
            own = np.searchsorted(atoms, bonds[np.isin(bonds[:, 0], atoms)]).astype(np.int32)
            found = molecule(z[atoms].tobytes(), own.tobytes())[1] or _skeleton(z[atoms], own)
            whole.InsertMol(found)
            for place_in_whole, atom in enumerate(atoms, whole.GetNumAtoms() - len(atoms)):
                whole.GetAtomWithIdx(place_in_whole).SetIntProp("atom", int(order[atom]))
        mol = whole.GetMol()
        _sanitise(mol)
        # hydrogens between two atoms, hydrides and H2 stay
        return _without_hydrogens(mol)


def morgan(
    key: tuple[bytes, bytes], radius: int, n_bits: int, counts: bool, features: bool
) -> tuple[NDArray[np.int64], Floats]:
    """Bits that are set and their values in the Morgan (ECFP, or with `features` FCFP) fingerprint of a graph."""
    mol = graph(*key)
    generator = _morgan_generator(radius, n_bits, features)
    if counts:
        found = generator.GetCountFingerprint(mol).GetNonzeroElements()
        return np.array(list(found), dtype=np.int64), np.array(list(found.values()), dtype=np.float64)
    bits = np.array(list(generator.GetFingerprint(mol).GetOnBits()), dtype=np.int64)
    return bits, np.ones(len(bits))


def morgan_environments(key: tuple[bytes, bytes], radius: int, n_bits: int, features: bool) -> dict[int, list[Atoms]]:
    """The atoms, centre first, of every environment that sets a bit; without hydrogens on their neighbours."""
    from rdkit import Chem
    from rdkit.Chem import rdFingerprintGenerator

    mol = graph(*key)
    generator = _morgan_generator(radius, n_bits, features)
    more = rdFingerprintGenerator.AdditionalOutput()
    more.AllocateBitInfoMap()
    generator.GetCountFingerprint(mol, additionalOutput=more)
    index = [atom.GetIntProp("atom") for atom in mol.GetAtoms()]
    found: dict[int, list[Atoms]] = {}
    for bit, centres in more.GetBitInfoMap().items():
        for centre, reach in centres:
            members = {centre}
            if reach:
                for bond in Chem.FindAtomEnvironmentOfRadiusN(mol, reach, centre):
                    members |= {mol.GetBondWithIdx(bond).GetBeginAtomIdx(), mol.GetBondWithIdx(bond).GetEndAtomIdx()}
            rest = sorted(index[k] for k in members - {centre})
            found.setdefault(int(bit), []).append((index[centre], *rest))
    return found


def maccs(key: tuple[bytes, bytes]) -> NDArray[np.int64]:
    """The MACCS keys that are set."""
    from rdkit.Chem import rdMolDescriptors

    return np.array(list(rdMolDescriptors.GetMACCSKeysFingerprint(graph(*key)).GetOnBits()), dtype=np.int64)


def maccs_matches(key: tuple[bytes, bytes], bit: int) -> list[Atoms]:
    """The atoms of every match of a key's pattern (of the aromatic rings, or fragments, where that is the key)."""
    from rdkit import Chem

    mol = graph(*key)
    index = [atom.GetIntProp("atom") for atom in mol.GetAtoms()]
    matches: Any
    if bit == 125:
        rings = mol.GetRingInfo().AtomRings()
        matches = [ring for ring in rings if all(mol.GetAtomWithIdx(k).GetIsAromatic() for k in ring)]
    elif bit == 166:
        matches = Chem.GetMolFrags(mol)
    elif bit in _SPECIAL_KEYS or bit not in _maccs_patterns():
        return []
    else:
        matches = mol.GetSubstructMatches(_maccs_patterns()[bit][1], maxMatches=_MOST_MATCHES)
    return [tuple(index[k] for k in match) for match in matches]


def maccs_names() -> list[str]:
    """ "key 8: [!#6;!#1]1~*~*~*~1", for each bit; " (more than n times)" where one match is not enough."""
    patterns = _maccs_patterns()
    names = []
    for bit in range(MACCS_BITS):
        if bit in _SPECIAL_KEYS:
            names.append(f"key {bit}: {_SPECIAL_KEYS[bit]}")
        elif bit in patterns:
            smarts, _, more = patterns[bit]
            times = ("", " (twice or more)")[more] if more < 2 else f" ({more + 1} times or more)"
            names.append(f"key {bit}: {smarts}{times}")
        else:
            names.append(f"key {bit}: not used")
    return names


def descriptor_names() -> tuple[str, ...]:
    """RDKit's 2-D descriptors in its order; which ones there are depends on its version."""
    return tuple(name for name, _ in _descriptors())


def descriptors(key: tuple[bytes, bytes]) -> Floats:
    """The values of :func:`descriptor_names`; 0 where one is not defined (partial charges of a metal)."""
    from rdkit import rdBase

    mol = graph(*key)
    values = np.zeros(len(_descriptors()))
    if mol.GetNumAtoms() == 0:
        return values
    with rdBase.BlockLogs():
        for k, (_, function) in enumerate(_descriptors()):
            try:
                value = float(function(mol))
            except (ValueError, RuntimeError, ZeroDivisionError, OverflowError, KeyError, IndexError):
                continue
            if np.isfinite(value):
                values[k] = value
    return values


@cache
def _descriptors() -> tuple[tuple[str, Callable[[Any], float]], ...]:
    from rdkit.Chem import Descriptors

    return tuple((name, function) for name, function in Descriptors.descList if name not in _UNBOUNDED)


@cache
def _morgan_generator(radius: int, n_bits: int, features: bool) -> Any:
    from rdkit.Chem import rdFingerprintGenerator

    invariants = rdFingerprintGenerator.GetMorganFeatureAtomInvGen() if features else None
    return rdFingerprintGenerator.GetMorganGenerator(
        radius=radius, fpSize=n_bits, atomInvariantsGenerator=invariants, includeChirality=False
    )


@cache
def _maccs_patterns() -> dict[int, tuple[str, Any, int]]:
    """Key → SMARTS, compiled, number of matches that must be exceeded."""
    from rdkit import Chem
    from rdkit.Chem import MACCSkeys

    found = {}
    for bit, (smarts, more) in MACCSkeys.smartsPatts.items():
        if bit not in _SPECIAL_KEYS:
            found[int(bit)] = (smarts, Chem.MolFromSmarts(smarts), int(more))
    return found


def _skeleton(z: NDArray[np.uint8], bonds: NDArray[np.int32]) -> Any:
    """Atoms with single bonds, nothing checked."""
    from rdkit import Chem

    mol = Chem.RWMol()
    for number in z:
        atom = Chem.Atom(int(number))
        atom.SetNoImplicit(True)
        mol.AddAtom(atom)
    for i, j in bonds:
        mol.AddBond(int(i), int(j), Chem.BondType.SINGLE)
    mol.UpdatePropertyCache(strict=False)
    return mol


def _without_hydrogens(mol: Any) -> Any:
    """A copy without hydrogens, which stay counted at their neighbours."""
    from rdkit import Chem

    bare = Chem.RemoveHs(mol, sanitize=False)
    _sanitise(bare)
    return bare


def _sanitise(mol: Any) -> None:
    """Rings, aromaticity and valences, as far as they can be had."""
    from rdkit import Chem

    flags = Chem.SanitizeFlags
    everything = flags.SANITIZE_ALL
    for operations in (
        everything,
        everything ^ flags.SANITIZE_PROPERTIES,
        everything ^ flags.SANITIZE_PROPERTIES ^ flags.SANITIZE_KEKULIZE ^ flags.SANITIZE_SETAROMATICITY,
    ):
        try:
            Chem.SanitizeMol(mol, sanitizeOps=operations)
            return
        except (ValueError, RuntimeError):
            continue
    mol.UpdatePropertyCache(strict=False)
    Chem.FastFindRings(mol)

"""Our own form of any data set: one HDF5 file, memory-mapped, which opens at once whatever its size."""

from qmlstudio.chem.store.container import DamagedError
from qmlstudio.chem.store.files import SUFFIX, StoreWriter, open_store, store_dataset
from qmlstudio.chem.store.keeping import Keeper

__all__ = ["SUFFIX", "DamagedError", "Keeper", "StoreWriter", "open_store", "store_dataset"]

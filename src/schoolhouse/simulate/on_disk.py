"""What grows with a campus lies in files without names, so that the memory of a run does not grow with it.

They stand in the directory for temporary files, and are gone when nobody holds them any more.
"""

from __future__ import annotations

import mmap
import pickle
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from tempfile import TemporaryFile, gettempdir
from typing import Any, Generic, TypeVar
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from schoolhouse.errors import DeliveryError, InputError

Thing = TypeVar("Thing")
Number = TypeVar("Number", bound=np.generic)


@contextmanager
def writing_to(what: str, hint: str = "") -> Iterator[None]:
    """A full disk, a store that refuses, and whatever else keeps us from writing, is an error of ours."""
    try:
        yield
    except OSError as error:
        raise InputError(f"Cannot write {what}: {error.strerror or type(error).__name__}.", hint=hint) from None
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "botocore":  # whose errors have no common root
            raise
        raise DeliveryError(f"Cannot write {what}: {type(error).__name__}.") from None


def _room() -> AbstractContextManager[None]:
    return writing_to(f"to {gettempdir()}, the directory for temporary files", hint="TMPDIR names another.")


class ArrayOnDisk(Generic[Number]):
    """An array of one dimension. Entries that are asked for are copied; nothing else stays in memory."""

    def __init__(self, values: NDArray[Number]) -> None:
        with _room(), TemporaryFile(prefix="schoolhouse-campus-") as file:
            file.write(values.data)
            file.flush()
            self._map = mmap.mmap(file.fileno(), values.nbytes, access=mmap.ACCESS_READ)
        self._values: NDArray[Number] = np.frombuffer(self._map, dtype=values.dtype)

    def __getitem__(self, which: slice | NDArray[np.int64]) -> NDArray[Number]:
        some = np.array(self._values[which])
        self._map.madvise(mmap.MADV_DONTNEED)  # what was read is the process's memory until it says otherwise
        return some


class ListOnDisk(Generic[Thing]):
    """Things that are put aside one after another, and read again in that order, as often as one likes."""

    def __init__(self) -> None:
        with _room():
            self._file = TemporaryFile(prefix="schoolhouse-campus-")  # noqa: SIM115, closed with the list
        self._size = 0
        finalize(self, self._file.close)

    def append(self, thing: Thing) -> None:
        """Put another aside."""
        with _room():
            self._file.seek(self._size)
            pickle.dump(thing, self._file)
            self._file.flush()
        self._size = self._file.tell()

    def __iter__(self) -> Iterator[Thing]:
        at = 0
        while at < self._size:
            self._file.seek(at)
            thing: Any = pickle.load(self._file)  # noqa: S301, nobody else can write there
            at = self._file.tell()
            yield thing

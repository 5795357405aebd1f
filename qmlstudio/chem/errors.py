"""What can be wrong with people's files, said so that they can mend it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One structure (or line) of a file that could not be used, while the rest was kept.

    Attributes
    ----------
    where : str
        File, or file inside an archive.
    line : int or None
        1-based line number where the trouble shows.
    index : int or None
        0-based position of the structure in its file.
    message, remedy : str
        What is wrong; what to do about it.
    is_notice : bool
        Nothing is wrong: something was left out or made on purpose, and people should know.
    """

    where: str
    message: str
    remedy: str = ""
    line: int | None = None
    index: int | None = None
    is_notice: bool = False

    def __str__(self) -> str:
        place = self.where + (f", line {self.line}" if self.line is not None else "")
        place += f" (structure {self.index + 1})" if self.index is not None else ""
        return f"{place}: {self.message}" + (f" → {self.remedy}" if self.remedy else "")


class DataError(Exception):
    """Nothing of the input could be used. The text names file, line and remedy in one line."""

    def __init__(self, problem: Problem | str, others: tuple[Problem, ...] = ()) -> None:
        self.problem = Problem("input", problem) if isinstance(problem, str) else problem
        self.others = others
        more = f" ({len(others)} more problems)" if others else ""
        super().__init__(f"{self.problem}{more}" if not isinstance(problem, str) else f"{problem}{more}")

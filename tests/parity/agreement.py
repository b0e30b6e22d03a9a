"""What the table is made of: one line for each loss of a package, held against ours."""

import dataclasses

import numpy

# What is smaller than a thousandth of the largest, or than a millionth, counts against that: 1 - sigmoid(x) has no more
# digits than that of 1.
SHARE, SMALL = 1e-3, 1e-6


def difference(theirs, ours):
    """The largest relative difference; inf where one has nan and the other a number."""
    theirs, ours = (numpy.asarray(numbers, dtype=float).ravel() for numbers in (theirs, ours))
    assert theirs.shape == ours.shape, (theirs.shape, ours.shape)
    finite = numpy.abs(ours[numpy.isfinite(ours)])
    floor = max(SMALL, SHARE * finite.max(initial=0))
    with numpy.errstate(invalid="ignore", over="ignore"):
        relative = numpy.abs(theirs - ours) / numpy.maximum(numpy.abs(ours), floor)
    relative[(theirs == ours) | (numpy.isnan(theirs) & numpy.isnan(ours))] = 0
    return float(numpy.nan_to_num(relative, nan=numpy.inf).max())


@dataclasses.dataclass
class Line:
    package: str
    theirs: str
    ours: str
    value: float
    gradient: float | None  # where there is one
    bound: float  # of the two; inf: the two are different functions, and the reason says so
    off: tuple  # extreme inputs of which theirs is another number
    stated_off: tuple
    reason: str  # why, and who is right

    def largest(self):
        return max(self.value, self.gradient or 0)

    def agrees(self):
        return self.largest() <= self.bound

    def as_stated(self):
        differs = self.bound == numpy.inf
        holds = self.largest() > 1e-6 if differs else self.agrees()
        return holds and self.off == self.stated_off and bool(self.reason) == (differs or bool(self.off))

    def text(self):
        figures = ", ".join(f"{figure:.0e}" for figure in (self.value, self.gradient) if figure is not None)
        away = "; ".join(self.off)
        return f"| {self.theirs} | {self.ours} | {figures} | {away} | {self.reason} |"


LINES = []


def add(package, theirs, ours, value, gradient, bound, off=(), stated_off=(), reason=""):
    LINES.append(Line(package, theirs, ours, value, gradient, bound, tuple(off), tuple(stated_off), reason))

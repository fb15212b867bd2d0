"""Tables with two columns under sides: "Vessel | Right | Left", a row of cells for each organ or finding."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from medsegr.findings import Span

SIDES = frozenset(
    [
        *("right", "left", "r", "l", "rt", "lt", "od", "os", "re", "le", "right side", "left side"),
        *("right eye", "left eye", "right breast", "left breast", "right lung", "left lung"),
        *("right kidney", "left kidney"),
    ]
)
CELLS = 3  # of a row: a name and what is told of it for each side


@dataclass(frozen=True, slots=True)
class Cell:
    """What a row tells for one side. ``text`` is the whole text with the cells of the other side blanked and
    a colon behind heads and names, ``head`` the side's words, ``span`` the words from the row's name to the
    end of the cell."""

    text: str
    head: Span
    span: Span


def lines(text: str, span: Span) -> tuple[Span, ...]:
    """The lines of tables with two columns under sides, heads included."""
    return tuple(line for table in _tables(text, span) for line in table)


def cells(text: str, span: Span) -> tuple[Cell, ...]:
    """The cells under sides of all tables within ``span``, row by row; () for none. Empty ones are left
    out."""
    start, stop = span
    tables = list(_tables(text, span))
    if not tables:
        return ()
    sides = []
    for side in (1, 2):
        out = list(text[start:stop])
        for table in tables:
            _clear(out, [_cells(text, line) for line in table], table, start, side)
        sides.append(text[:start] + "".join(out) + text[stop:])
    return tuple(cell for table in tables for line in table[1:] for cell in _of_row(text, table, line, sides))


def _of_row(text: str, table: Sequence[Span], line: Span, sides: Sequence[str]) -> Iterator[Cell]:
    heads, (name, *told) = _cells(text, table[0]), _cells(text, line)
    for head, cell, column in zip(heads[1:], told, sides, strict=True):
        if set(text[slice(*cell)]) - {*"-: "}:
            yield Cell(column, head, (name[0], cell[1]))


def _clear(
    out: list[str], told: Sequence[Sequence[Span]], table: Sequence[Span], start: int, side: int
) -> None:
    """Blank all that is not the name or of the side in the rows of a table. ``out``: the letters from
    ``start`` on."""
    for row, line in zip(told, table, strict=True):
        name, own = row[0], row[side]
        for first, last in ((name[1], own[0]), (own[1], line[1])):
            out[first - start : last - start] = " " * (last - first)
        at = (own[1] if row is told[0] else name[1]) - start
        if at < len(out):
            out[at] = ":"


def _tables(text: str, span: Span) -> Iterator[list[Span]]:
    """The lines of each table: a head of two sides, and the rows below with as many cells."""
    table: list[Span] = []
    for line in _lines(text, span) if "|" in text else ():
        row = _cells(text, line)
        if table and len(row) == CELLS:
            table.append(line)
            continue
        if len(table) > 1:
            yield table
        heads = [text[slice(*cell)].lower().rstrip(":.") for cell in row[1:]]
        table = [line] if len(row) == CELLS and {*heads} <= SIDES and heads[0] != heads[1] else []
    if len(table) > 1:
        yield table


def _lines(text: str, span: Span) -> Iterator[Span]:
    at, end = span
    while at < end:
        stop = text.find("\n", at, end)
        stop = end if stop < 0 else stop
        yield at, stop
        at = stop + 1


def _cells(text: str, line: Span) -> list[Span]:
    """The words of each cell of a line, pipes at both its ends left out; an empty cell is an empty span. []
    for a line without pipes."""
    start, stop = line
    said = text[start:stop].rstrip(" \t\r")
    led = said.endswith("|") and said.lstrip(" \t").startswith("|") and said.count("|") > 1
    said = said.removesuffix("|")
    lead = said.index("|") + 1 if led else 0
    if "|" not in said[lead:]:
        return []
    out, at = [], start + lead
    for cell in said[lead:].split("|"):
        left = at + len(cell) - len(cell.lstrip())
        out.append((left, left + len(cell.strip())))
        at += len(cell) + 1
    return out

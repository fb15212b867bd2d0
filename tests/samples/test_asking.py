"""Which targets are meant by which words: what is said always fits what is meant, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from medsegr import data
from medsegr.data import Case, Target
from medsegr.reasoning.codes import KIND_OF, LOCATION, SHAPE, TEXTURE, Code
from medsegr.samples.asking import NAMING, Recipe, deciding, phantom_words

NAME = Code("concept:nodule")


def body(*told: tuple[str, ...]) -> Case:
    """A made body with a lesion for each tuple of words."""
    bits = np.packbits(np.ones((4, 4), bool))
    targets = tuple(Target(bits, (NAME, *map(Code, words))) for words in told)
    return Case("c", "s", np.zeros((1, 4, 4), np.uint8), targets, "CR", True, True, False, "g")


PAIR = body(("row:upper", "density:hyper", "form:round"), ("row:upper", "density:hyper", "form:irregular"))


def kinds_of(codes: tuple[Code, ...]) -> set[int]:
    return {KIND_OF[code.group] for code in codes if code.group not in NAMING}


def test_only_the_kind_of_words_that_differs_is_said() -> None:
    for seed in range(20):
        told = deciding(PAIR, Recipe(shape_first=0.0), np.random.default_rng(seed))
        assert told is not None
        (which,), codes = told
        assert NAME in codes
        assert kinds_of(codes) == {SHAPE}
        assert {c.text for c in codes} <= PAIR.targets[which].names


@pytest.mark.parametrize(
    "case",
    [
        body(("form:round",)),
        body(("form:round",), ("form:round",)),
        # together the words tell them apart, of one kind alone never
        body(
            ("row:upper", "form:round"),
            ("row:upper", "form:irregular"),
            ("row:lower", "form:round"),
            ("row:lower", "form:irregular"),
        ),
    ],
)
def test_nothing_is_said_where_no_kind_of_words_decides(case: Case) -> None:
    rng = np.random.default_rng(0)
    assert deciding(case, Recipe(), rng) is None
    targets, codes = phantom_words(case, Recipe(deciding=1.0), rng)  # the usual words instead
    assert targets
    assert NAME in codes


def test_shape_comes_first_as_often_as_it_should() -> None:
    case = body(("row:upper", "density:hyper", "form:round"), ("row:lower", "density:hypo", "form:irregular"))

    def shares(first: float) -> dict[int, float]:
        rng = np.random.default_rng(1)
        said = [deciding(case, Recipe(shape_first=first), rng) for _ in range(600)]
        kinds = [next(iter(kinds_of(told[1]))) for told in said if told]
        return {kind: kinds.count(kind) / len(kinds) for kind in (LOCATION, TEXTURE, SHAPE)}

    assert shares(1.0)[SHAPE] == 1
    assert all(abs(part - 1 / 3) < 0.08 for part in shares(0.0).values())


def test_in_made_bodies_the_words_fit_the_one_that_is_meant_alone() -> None:
    cases = [
        data.phantom_case(made)
        for kind in ("cells", "chest")
        for made in data.make_phantoms(kind, 3, 12, 128)
    ]
    rng = np.random.default_rng(2)
    found = [(case, told) for case in cases if (told := deciding(case, Recipe(), rng))]
    assert len(found) > 8
    for case, ((which,), codes) in found:
        said = {code.text for code in codes if not code.scalar}
        fitting = [i for i, t in enumerate(case.targets) if not t.organ and said <= t.names]
        assert fitting == [which]
        assert len(kinds_of(codes)) == 1
        name = {code.text for code in codes if code.group in NAMING}
        assert sum(name <= t.names for t in case.targets) > 1


def test_a_scalar_never_decides() -> None:
    pair = body((), ())
    sizes = tuple(
        replace(t, codes=(*t.codes, Code("extent:", 0.1 * i))) for i, t in enumerate(pair.targets, 1)
    )
    assert deciding(replace(pair, targets=sizes), Recipe(), np.random.default_rng(0)) is None

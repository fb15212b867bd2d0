"""What a person gives is checked once, with one line that says what came and what was expected."""

from typing import Any

import numpy as np
import pytest

from medsegr.errors import UsageError
from medsegr.prompts.door import MOST_POINTS, added, checked
from medsegr.reviews import Hints

GRID = (40, 60)


def test_prompts_come_through_as_values() -> None:
    hints, mask = checked(GRID, [[3, 4, 1], [59.5, 39.5, 0]], (0, 0, 60, 40), np.ones(GRID, bool))
    assert hints.points == ((3.0, 4.0, 1), (59.5, 39.5, 0))
    assert hints.boxes == ((0.0, 0.0, 60.0, 40.0),)
    assert hints.mask
    assert mask is not None
    assert mask.dtype == np.float32
    several, none = checked(GRID, box=[[1, 1, 5, 5], [7, 7, 9, 9]])
    assert len(several.boxes) == 2
    assert none is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "no prompt came"),
        ({"points": []}, "empty"),
        ({"points": [[60, 1, 1]]}, "60, 1, outside the picture.*x from 0 to 59 and y from 0 to 39"),
        ({"points": [[-1, 1, 1]]}, "outside the picture"),
        ({"points": [[1, np.nan, 1]]}, "not finite"),
        ({"points": [[1, 1, 2]]}, "ends with 2"),
        ({"points": [[1, 1]]}, "shape"),
        ({"points": np.array([1, 1, 1])}, "shape"),
        ({"points": np.array([["a", "b", "c"]])}, "not numbers"),
        ({"points": [[1, 1, 1]] * (MOST_POINTS + 1)}, "at most"),
        ({"box": (5, 5, 5, 9)}, "no size"),
        ({"box": (5, 9, 9, 5)}, "no size"),
        ({"box": (5, 5, 99, 9)}, "leaves the picture"),
        ({"box": (5, np.inf, 9, 9)}, "not finite"),
        ({"box": (5, 5, 9)}, "shape"),
        ({"box": [[1, 1, 2, 2]] * 30}, "at most"),
        ({"mask": np.ones((3, 3), bool)}, "same was expected"),
        ({"mask": np.full(GRID, 2.0)}, "0 to 1"),
        ({"mask": np.full(GRID, np.nan)}, "0 to 1"),
        ({"mask": np.full(GRID, "x")}, "no numbers"),
    ],
)
def test_the_door_refuses(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        checked(GRID, **given)
    assert "\n" not in str(refused.value)


def test_points_gather_and_boxes_are_the_newest() -> None:
    first = Hints(((1.0, 1.0, 1),), ((0.0, 0.0, 5.0, 5.0),))
    second = added(first, Hints(((2.0, 2.0, 0),)))
    assert second.points == ((1.0, 1.0, 1), (2.0, 2.0, 0))
    assert second.boxes == first.boxes
    assert added(second, Hints(boxes=((1.0, 1.0, 2.0, 2.0),))).boxes == ((1.0, 1.0, 2.0, 2.0),)
    with pytest.raises(UsageError, match="at most"):
        added(Hints(((1.0, 1.0, 1),) * MOST_POINTS), second)


def test_a_plane_that_was_painted_is_drawn_over_by_a_box_or_a_mask_and_not_by_a_click() -> None:
    painted = Hints(mask=True, painted=True)
    assert added(painted, Hints(((1.0, 1.0, 1),))).painted
    assert not added(painted, Hints(boxes=((0.0, 0.0, 5.0, 5.0),))).painted
    assert not added(painted, Hints(mask=True)).painted

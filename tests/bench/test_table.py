"""Numbers out of rows, by hand."""

import pytest

from medsegr.bench import table
from medsegr.bench.sheet import cell


def row(
    image: str = "a", control: str = "right", counts: tuple[int, int, int] = (10, 10, 5), **more: object
) -> dict:
    pred, truth, inter = counts
    base = {
        "image": image, "set": "s", "group": more.pop("group", image), "modality": "US", "seconds": 0.1,
        "control": control, "pred": pred, "truth": truth, "inter": inter, "size": 1000, "drawn": pred > 0,
        "open": [pred, inter], "presence": 0.9, "target": 0, "label": "x", "words": "oracle", "unit": "px",
        "hd95": 1.0, "nsd": 0.5, "lesions": [1, 0, 0], "bins": [[1] + [0] * 19, [0.0] * 20, [0] * 20],
    }  # fmt: skip
    return {**base, **more}


def test_per_image_and_pooled_are_two_numbers() -> None:
    told = table.overlap([row("a", counts=(10, 10, 10)), row("b", counts=(1000, 1000, 0))])
    assert told["dice"]["mean"] == 0.5
    assert told["dice_pooled"]["mean"] == pytest.approx(20 / 2020, abs=1e-5)
    assert told["iou"]["mean"] == 0.5
    assert told["iou_pooled"]["mean"] == pytest.approx(10 / 2010, abs=1e-5)


def test_absent_targets_stay_out_of_overlap_and_count_as_absent() -> None:
    rows = [
        row("a", counts=(10, 10, 10)),
        row("b", counts=(5, 0, 0), hd95=None, lesions=[0, 0, 1]),
        row("c", counts=(0, 0, 0), lesions=[0, 0, 0]),
        row("a", "other", counts=(0, 0, 0), target=None),
        row("b", "other", counts=(3, 0, 0), target=None),
    ]
    told = table.summary(rows)
    assert (told["dice"]["mean"], told["targets"], told["images"]) == (1.0, 1, 3)
    assert told["absent_drawn"]["mean"] == 0.5
    assert told["foreign_drawn"]["mean"] == 0.5
    assert told["presence"] == {"precision": pytest.approx(1 / 3, abs=1e-5), "recall": 1.0, "f1": 0.5}
    assert told["false_positives"] == pytest.approx(1 / 3, abs=1e-4)
    assert told["hd95"]["px"] == {"median": 1.0, "infinite": 0, "n": 1}


def test_a_missed_target_is_infinitely_far() -> None:
    told = table.summary(
        [row("a"), row("b", counts=(0, 10, 0), hd95=None), row("c", counts=(0, 10, 0), hd95=None)]
    )
    assert told["hd95"]["px"] == {"median": None, "infinite": 2, "n": 3}


def test_millimetres_and_pixels_are_never_averaged_together() -> None:
    told = table.summary([row("a", unit="mm", nsd=1.0), row("b", nsd=0.2), row("c", nsd=0.4)])
    assert {unit: one["mean"] for unit, one in told["nsd"].items()} == {"mm": 1.0, "px": 0.3}
    assert {unit: one["n"] for unit, one in told["hd95"].items()} == {"mm": 1, "px": 2}
    assert cell(told["nsd"]) == "1.000 [one group] mm, 0.300 [0.200, 0.400] px"


def test_nothing_gives_no_numbers() -> None:
    told = table.summary([])
    assert (told["dice"]["mean"], told["false_positives"], told["ece"], told["seconds"]) == (
        None,
        None,
        None,
        None,
    )
    assert told["presence"] == {"precision": None, "recall": None, "f1": None}
    assert table.effects([]) == {}
    assert table.strata([]) == {}
    assert table.difference([], []) is None


def test_effects_are_paired_on_the_targets_to_which_a_control_applies() -> None:
    rows = [row(i, counts=(10, 10, 10)) for i in "abcdef"]
    rows += [row(i, "shuffled", counts=(10, 10, 0)) for i in "abcde"]
    told = table.effects(rows)
    assert told["shuffled"]["dice"]["n"] == 5
    assert told["shuffled"]["right_minus"]["mean"] == 1.0
    assert told["shuffled"]["p"] == told["shuffled"]["p_holm"] == 2 / 2**5
    assert "free" not in told


def test_method_against_method_takes_what_both_have_judged() -> None:
    a = [row(i, "free", counts=(10, 10, 10)) for i in "abcdef"] + [
        row(i, counts=(10, 10, 5)) for i in "abcdef"
    ]
    b = [row(i, counts=(10, 10, 0)) for i in "cdefgh"]  # reads no words: one answer
    found = table.difference(a, b, "free")
    assert found is not None
    assert (found["difference"]["mean"], found["images"], found["a"], found["b"]) == (1.0, 4, 1.0, 0.0)
    three = table.tests({"a": a, "b": b, "c": a})
    assert [(r["one"], r["other"]) for r in three] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert all(r["p_holm"] >= r["p"] for r in three)


def test_strata_come_in_order_of_size() -> None:
    rows = [row("a", counts=(1, 300, 1)), row("b", counts=(1, 5, 1)), row("c", counts=(1, 5, 0))]
    assert list(table.strata(rows)) == ["< 1 %", "> 20 %"]
    assert table.strata(rows)["< 1 %"]["dice"]["n"] == 2


def test_u_scores_need_a_network_and_company() -> None:
    told = {"a": {"iou": {"mean": 0.8}, "seconds": 0.02}, "b": {"iou": {"mean": 0.5}, "seconds": 0.02}}
    facts = {"a": {"parameters": 5_000_000, "operations": 10**10}, "b": {"parameters": None}}
    found = table.u_scores(told, facts)
    assert found["a"]["pool"] == 2
    assert found["a"]["terms"][0] == 1.0
    assert found["b"]["score"] is None
    assert "two methods" in table.u_scores({"a": told["a"]}, facts)["a"]["why"]

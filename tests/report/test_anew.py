"""Where a statement begins anew: doubts behind denials, lines of an unpunctuated report, contractions."""

import pytest

from medsegr.report.parse import parse


def states(text: str, modality: str = "CR") -> list[str]:
    return [f.polarity for f in parse(text, modality=modality).findings]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No effusion, cannot exclude pneumonia.", ["absent", "uncertain"]),
        ("No effusion, pneumonia cannot be excluded.", ["absent", "uncertain"]),
        ("No effusion, can't exclude pneumonia.", ["absent", "uncertain"]),
        ("No effusion, possible pneumonia.", ["absent", "uncertain"]),
        ("No effusion, pneumothorax, fracture cannot be excluded.", ["absent", "absent", "uncertain"]),
        ("No effusion, nodule or possible mass.", ["absent", "absent", "absent"]),  # a list
        ("No suspicious nodule, possible scarring at the left base.", ["absent", "uncertain"]),
    ],
)
def test_a_doubt_ends_a_denial(text: str, expected: list[str]) -> None:
    assert states(text) == expected


@pytest.mark.parametrize(
    "said", ["cannot be excluded", "can't be excluded", "could not be ruled out", "not excluded"]
)
def test_what_is_described_before_a_doubt_is_there_and_a_mere_name_is_not(said: str) -> None:
    assert states(f"Left effusion, pneumonia {said}.") == ["present", "uncertain"]
    assert states(f"No effusion, pneumonia {said}.") == ["absent", "uncertain"]
    assert states(f"Fracture, dislocation {said}.") == ["uncertain", "uncertain"]
    assert states(f"A fracture, dislocation {said}.") == ["uncertain", "uncertain"]
    assert states(f"Left effusion, atelectasis or pneumonia {said}.") == ["uncertain"] * 3


def test_what_is_excluded_in_a_list_is_denied_as_a_whole() -> None:
    assert states("Left fracture, dislocation excluded.") == ["absent", "absent"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no pneumothorax seen\nheart is enlarged", ["absent", "present"]),
        ("no pneumothorax seen\nnodule in the left lung is unchanged", ["absent", "present"]),
        ("no effusion or pneumothorax\nseen in the\nright lung", ["absent", "absent"]),  # wrapped prose
        ("no effusion seen\nin the lung that is collapsed", ["absent"]),
    ],
)
def test_a_line_that_states_something_is_not_denied_by_the_one_above(text: str, expected: list[str]) -> None:
    assert states(text)[: len(expected)] == expected


@pytest.mark.parametrize(
    "said", ["can't", "can\u2019t", "cant", "cannot", "can not", "couldn't", "could not"]
)
def test_what_cannot_be_seen_is_absent_and_what_cannot_be_excluded_unsure(said: str) -> None:
    assert states(f"Effusion {said} be seen.") == ["absent"]
    assert states(f"Effusion {said} be excluded.") == ["uncertain"]


@pytest.mark.parametrize("said", ["isn't", "isnt", "wasn't", "isn\u2019t"])
def test_contractions_deny(said: str) -> None:
    assert states(f"Effusion {said} seen.") == ["absent"]


def test_nil_denies_what_follows_and_answers_a_form() -> None:
    assert states("A few erosions, nil ulcer.", "ES") == ["present", "absent"]
    assert states("Polyp 5 mm, nil other.", "ES") == ["present"]
    assert states("Polyps nil, ulcers: nil.", "ES") == ["absent", "absent"]


@pytest.mark.parametrize(
    ("text", "name", "side", "phrase"),
    [
        ("Enlarged kidneys, liver and spleen normal.", "kidney enlargement", None, "Enlarged kidneys"),
        (
            "Enlarged left kidney, liver and spleen normal.",
            "kidney enlargement",
            "left",
            "Enlarged left kidney",
        ),
        ("Gallstones, the liver, spleen and both kidneys are unremarkable.", "gallstone", None, "Gallstones"),
        ("Polyp in the colon, stomach and duodenum normal.", "polyp", None, "Polyp in the colon"),
        # a list of where it is, and one organ alone, say what they said
        ("Cysts in the liver, spleen and left kidney.", "liver cyst", "right", "Cysts in the liver"),
        ("Enlarged kidneys, liver normal.", "kidney enlargement", None, "Enlarged kidneys"),
    ],
)
def test_organs_that_are_normal_are_no_place_of_what_stands_before(
    text: str, name: str, side: str | None, phrase: str
) -> None:
    found = next(f for f in parse(text, modality="CT").findings if f.name == name)
    assert (found.location.side, found.phrase, found.polarity) == (side, phrase, "present")


def test_organs_that_are_normal_end_a_denial() -> None:
    assert states("No hydronephrosis, liver and spleen normal.", "CT") == ["absent", "present"]
    assert states("No hydronephrosis, liver and spleen cyst.", "CT").count("present") == 0

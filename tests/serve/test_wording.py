"""Over HTTP nobody is told to give a flag."""

import re
from pathlib import Path

import pytest

import medsegr.io
from medsegr.serve.wording import HERE, said_here
from served import Asked

FLAG = re.compile(r"--(?!limits)[a-z][a-z-]+")
# flags of what a server does not do, or of a tool of others
ELSEWHERE = {
    "--use",
    "--film-frame",
    "--threshold",
    "--format",
    "--seg-type",
    "--combined",
    "--debug",
    "--raw",
}


@pytest.mark.parametrize(
    ("line", "here"),
    [
        (
            "about 3 slices are missing: export the series again, choose a part with --series, or go on with "
            "--accept-gaps",
            "about 3 slices are missing: export the series again, or send only a part of it",
        ),
        (
            "number 2) CT, was taken by rule; --series list shows all",
            "number 2) CT, was taken by rule; the field series takes another",
        ),
        (
            "2 pictures came: 1) CR 2) CR; choose one with --series NUMBER",
            "2 pictures came: 1) CR 2) CR; send it again with the token of one in the field series",
        ),
        ("--series: no series 7 among 2", "series: no series 7 among 2"),
        (
            "--series: a PNG file came where DICOM was expected; leave the flag out",
            "series: a PNG file came where DICOM was expected; leave the field out",
        ),
        (
            "at most 200 are allowed; if this input is meant, raise the limit with Limits(ratio=9) or "
            "--limits ratio=9",
            "at most 200 are allowed; if this input is meant, whoever runs the server may give it --limits "
            "ratio=9",
        ),
        ("--format png cannot hold a volume", "format png cannot hold a volume"),
        (
            "a film of 9 frames came: frame 5 was taken; --film-frame N takes another",
            "a film of 9 frames came: frame 5 was taken",
        ),
        (
            "2 findings could be meant: say which, for example refine('f1', ...)",
            '2 findings could be meant: say which with the field finding, for example "f1"',
        ),
        ("taken as CT, why; say --modality to be sure", "taken as CT, why; say the modality to be sure"),
        (
            "--polarity: 'present' is missing; write for example --polarity present,uncertain",
            'polarity: \'present\' is missing; write for example ["present", "uncertain"]',
        ),
        ("PNG picture: it is truncated", "PNG picture: it is truncated"),
    ],
)
def test_the_same_is_said_with_fields(line: str, here: str) -> None:
    assert said_here(line) == here


def test_every_flag_that_a_reader_names_has_its_words_here() -> None:
    named: set[str] = set()
    for path in Path(str(medsegr.io.__file__)).parent.glob("*.py"):
        named |= set(FLAG.findall(path.read_text(encoding="utf-8")))
    known = " ".join(there for there, _ in HERE)
    assert {flag for flag in named if flag not in known} <= ELSEWHERE


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain"])
def test_a_body_without_its_type_is_told_to_name_it(server: Asked, kind: str) -> None:
    sent = {"content": b'{"report": "nodule"}', "headers": {"content-type": kind}}
    answer = server.client.post("/v1/parse", **sent)
    assert answer.status_code == 422
    assert "Content-Type: application/json" in answer.json()["error"]["message"]
    assert server.client.post("/v1/parse", json=[]).json()["error"]["message"].startswith("Input should be")


@pytest.mark.parametrize("words", [{"report": ""}, {"text": " "}, {"phrases": []}, {"phrases": [" "]}])
def test_words_that_are_none_are_refused_and_not_taken_for_no_words(
    server: Asked, words: dict[str, object]
) -> None:
    """Who means to say something and does not gets no masks that nobody asked for."""
    answer = server.client.post("/v1/jobs", json={"image": "i" + 22 * "A", **words})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid")


def test_a_body_that_is_no_json_is_told_as_such(server: Asked) -> None:
    sent = {"content": b'{"image": ,', "headers": {"content-type": "application/json"}}
    answer = server.client.post("/v1/jobs", **sent)
    assert answer.status_code == 422
    said = "the body is no JSON: character 10, counted from 0, was not expected"
    assert answer.json()["error"] == {"code": "invalid", "message": said}

"""The report with its marks: what is shown is the report, every finding is marked where it stands, nothing
runs."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medsegr.report.parse import parse, parse_phrase
from medsegr.report.show import BRACKETS, as_html, as_text, explained, ground, pieces, rows, visible
from medsegr.types import Finding, Report

REPORT = (
    "FINDINGS: There is a small hazy opacity in the right lower lobe. No pneumothorax or effusion.\r\n"
    "Possible nodule in the left & upper zone.\n\nIMPRESSION: Right lower lobe opacity. Prior mass is gone."
)
HOSTILE = (
    'No <script>alert("x")</script> effusion & <img src=x onerror=alert(1)> left </div></body> nodule '
    "\u202e\x00\x1b[2J' onmouseover='x \ud800 mass &lt;b&gt; <!-- {} --> in the right lung"
)


class Page(HTMLParser):
    """Text of the element with id ``report``, each mark with its offsets in it, and every tag."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.marks: list[tuple[int, int, dict[str, str | None]]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.all_text = ""
        self._inside = False
        self._open: list[tuple[int, dict[str, str | None]]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.tags.append((tag, told))
        if told.get("id") == "report":
            self._inside = True
        elif tag == "mark" and self._inside:
            self._open.append((len(self.text), told))

    def handle_endtag(self, tag: str) -> None:
        if tag == "mark" and self._inside:
            start, told = self._open.pop()
            self.marks.append((start, len(self.text), told))
        elif tag == "div":
            self._inside = False

    def handle_data(self, data: str) -> None:
        self.all_text += data
        if self._inside:
            self.text += data


def spans_of(page: Page, id: str) -> list[tuple[int, int]]:
    """Where the phrase of a finding is marked, neighbouring marks joined."""
    out: list[tuple[int, int]] = []
    for start, stop, told in page.marks:
        if id in (told.get("data-phrase") or "").split():
            if out and out[-1][1] == start:
                out[-1] = (out[-1][0], stop)
            else:
                out.append((start, stop))
    return out


def words_of(page: Page, kind: str) -> list[str]:
    return [page.text[a:b] for a, b, told in page.marks if kind in (told["class"] or "").split()]


def moved(text: str, span: tuple[int, int]) -> tuple[int, int]:
    """A span of the report in the text as shown."""
    return len(visible(text[: span[0]])), len(visible(text[: span[1]]))


def test_the_page_shows_the_report_and_marks_every_finding_where_it_stands() -> None:
    report = parse(REPORT, modality="CR")
    page = Page(as_html(report))
    assert page.text == REPORT.replace("\r\n", "\n")
    assert len(report.findings) >= 4
    for finding in report.findings:
        want = sorted(moved(REPORT, span) for span in (finding.span, *finding.mentions))
        assert spans_of(page, finding.id) == want
    assert words_of(page, "cue") == ["No", "Possible", "is gone"]
    assert {"right", "lower lobe", "left", "upper zone"} <= set(words_of(page, "place"))
    assert words_of(page, "look") == ["small", "hazy"]


def test_a_mark_says_what_it_means() -> None:
    page = Page(as_html(parse("No effusion in the left lung.", modality="CR")))
    titles = {page.text[a:b]: told["title"] for a, b, told in page.marks}
    assert titles["effusion in the "] == "f1: pleural effusion, absent; not drawn: the report denies it"
    assert titles["No"] == "cue that decides whether it is there (f1)"
    assert (titles["lung"] or "").endswith("side and place (f1)")
    assert "not drawn: the report denies it" in page.all_text


@pytest.mark.parametrize("text", [HOSTILE, REPORT + HOSTILE, "<script>", "&amp;", "{style}", "a\rb\r\nc\n"])
def test_nothing_of_a_report_becomes_markup(text: str) -> None:
    made = as_html(parse(text))
    page = Page(made)
    assert page.text == visible(text)
    allowed = {
        *(
            "html",
            "head",
            "meta",
            "title",
            "style",
            "body",
            "h1",
            "h2",
            "section",
            "ul",
            "li",
            "mark",
            "sup",
            "div",
        ),
        *("table", "thead", "tbody", "tr", "th", "td", "footer"),
    }
    known = {
        *("lang", "charset", "http-equiv", "content", "name", "aria-labelledby", "id", "dir", "class"),
        *("title", "data-phrase", "data-ends", "scope", "colspan"),
    }
    assert {tag for tag, _ in page.tags} <= allowed
    assert {key for _, told in page.tags for key in told} <= known
    assert not re.search(r"url\(|@import|https?:", made)
    assert "default-src 'none'" in made
    made.encode("utf-8")  # lone halves of a pair are gone


def test_a_report_without_findings_has_a_page() -> None:
    for text in ("", "Thank you."):
        page = Page(as_html(parse(text)))
        assert page.text == text
        assert "no findings" in page.all_text


def test_brackets_say_the_same() -> None:
    report = parse("No effusion. A small nodule in the left lung.", modality="CR")
    assert as_text(report) == "{No} [f1 effusion]. A [f2 (small) nodule in the <left> <lung>]."
    told = explained(report)
    assert "f1  pleural effusion  absent   No   not drawn: the report denies it" in told
    assert "f2  nodule            present       drawn, if the image shows it" in told


def test_findings_that_share_words_share_a_bracket() -> None:
    one = Finding("f1", "abc", (0, 3), "nodule")
    two = Finding("f2", "bcd", (1, 4), "mass", polarity="absent", polarity_span=(2, 5))
    report = Report("abcdef", (), (one, two))
    assert as_text(report) == "[f1 a][f1,f2 b{c}][f2 {d}]{e}f"
    page = Page(as_html(report))
    assert (spans_of(page, "f1"), spans_of(page, "f2")) == ([(0, 3)], [(1, 4)])
    assert [told["class"] for *_, told in page.marks] == [
        "phrase present",
        "phrase several",
        "phrase cue several",
        "phrase cue absent",
        "cue",
    ]


def test_a_cue_wins_over_a_place_and_a_place_over_a_look() -> None:
    from medsegr.types import Location, Shape, Texture

    finding = Finding(
        *("f1", "abcd", (0, 4), "nodule"),
        polarity_span=(0, 1),
        location=Location(spans=((0, 2),)),
        texture=Texture(spans=((1, 3),)),
        shape=Shape(spans=((2, 3),)),
    )
    found = pieces(Report("abcd", (), (finding,)))
    assert [(piece.span, piece.word) for piece in found] == [
        ((0, 1), "cue"),
        ((1, 2), "place"),
        ((2, 3), "look"),
        ((3, 4), ""),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a\x1b[31m", "a<U+001B>[31m"),
        ("\u202eabc\u2066", "<U+202E>abc<U+2066>"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("\ud800", "<U+D800>"),
        ("a\xa0b\tc", "a\xa0b\tc"),
        ("e\u0301 \U0001f600 \u05d0", "e\u0301 \U0001f600 \u05d0"),
    ],
)
def test_what_steers_a_terminal_is_spelled_out(text: str, said: str) -> None:
    assert visible(text) == said


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.sampled_from(["no ", "nodule ", "left lung", " small", "<b>", "&", "\x1b", "\r\n", ". ", "\u202e"])
        | st.text(max_size=5)
    ).map("".join)
)
def test_any_report_can_be_shown(text: str) -> None:
    for report in (parse(text), parse_phrase(text)):
        found = pieces(report)
        assert "".join(text[slice(*piece.span)] for piece in found) == text
        page = Page(as_html(report))
        assert page.text == visible(text)
        for finding in report.findings:
            marked = {i for a, b in spans_of(page, finding.id) for i in range(a, b)}
            assert set(range(*moved(text, finding.span))) <= marked
        told = explained(report)
        assert all(char.isprintable() or char in "\n\t" or char.isspace() for char in told)
        assert "\x1b" not in told
        assert len(rows(report)) == len(report.findings)


def test_the_brackets_are_all_different() -> None:
    assert len(set("".join(BRACKETS.values()) + "[]")) == 2 * (len(BRACKETS) + 1)


def test_what_is_there_and_not_drawn_has_a_ground_of_its_own() -> None:
    report = parse(
        "Mass on the left. Heart size is normal. The mother had lung cancer. No effusion.", modality="CR"
    )
    grounds = {finding.name: ground(finding) for finding in report.findings}
    assert grounds == {
        "mass": "present",
        "normal heart": "aside",
        "lung tumour": "aside",
        "pleural effusion": "absent",
    }
    assert 'class="phrase aside"' in as_html(report)


def test_a_passage_by_no_known_name_is_marked_and_told_as_such() -> None:
    report = parse("The right hilum is wrongled. Left effusion.", modality="CR")
    assert as_text(report).startswith("\\The right hilum is wrongled/. [f1 ")
    (mark,) = [told for *_, told in Page(as_html(report)).marks if told["class"] == "unread"]
    assert mark["title"] == "not understood: nothing known is named here"

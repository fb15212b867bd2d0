import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsegr.report.markup import html_text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<b>L</b>eft <i>lung</i>", "Left lung"),
        ("<tr><td>Liver</td><td>normal</td></tr>", "Liver normal"),
        ("a<br/>b<BR>c", "a\nb\nc"),
        ("<pre>a\n b</pre><p>c\nd</p>", "a\nb\n\nc d"),
        ("<div>FINDINGS: a\nIMPRESSION: b</div>", "FINDINGS: a\nIMPRESSION: b"),
        ("nodule <5 mm and >3 mm", "nodule <5 mm and >3 mm"),
        ('<a title="a > b">x</a>', "x"),
        ("<script>if (a<b) {}</script>x<script/>y", "xy"),
        ("a<!-- b --><!-- c", "a<!-- c"),
        ("<!DOCTYPE html><?xml?>a", "a"),
        ("&lt;script&gt;&nbsp;&eacute;&#x41;&#0;&bogus;", "<script>\xa0éA\ufffd&bogus;"),
        ("<script>a", ""),
        ("", ""),
    ],
)
def test_what_a_reader_sees(source: str, text: str) -> None:
    assert html_text(source) == text


@pytest.mark.parametrize(
    "piece", ["<", "<a ", "<a '", '<a "', "<!--", "<script>", "</p>", "&", "<p>\n", "]]>"]
)
def test_hostile_repetition_ends(piece: str) -> None:
    source = piece * (300_000 // len(piece))
    assert len(html_text(source)) <= len(source)


@given(st.text(alphabet="<>/!-ab \"'&;\n", max_size=200))
def test_any_string_gives_a_string(source: str) -> None:
    assert len(html_text(source)) <= len(source) * 2 + 10

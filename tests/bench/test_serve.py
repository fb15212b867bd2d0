"""What the viewer's script printed is read as it prints it."""

import re

from medsegr.bench import serve


def test_openings_are_read() -> None:
    rows = [f'{{"loaded_ms":300,"image_ms":{300 + ready},"ready_ms":{ready}}}' for ready in (900, 700, 4000)]
    assert serve.opened("\n".join(rows) + "\n") == {"ready ms": 900.0, "times": 3}
    assert serve.opened("") is None


def test_the_script_prints_what_is_read() -> None:
    script = serve.PAGE.read_text(encoding="utf-8")
    assert re.search(r"JSON\.stringify\(\{[^}]*\bready_ms:", script)
    assert "#/job/" in script

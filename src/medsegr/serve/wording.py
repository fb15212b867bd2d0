"""Lines that were written for the command line, as they are said over HTTP, where there are no flags."""

import re

# what the command line says -> what is said here. `--limits` stays: it is the server's own flag, too.
HERE = (
    (r"; --series list shows all", "; the field series takes another"),
    (r"choose a part with --series, or go on with --accept-gaps", "or send only a part of it"),
    (r"choose a part with --series, or take the larger one with --accept-gaps", "send only one of them"),
    (r"choose a part with --series", "send only a part of it"),
    (r"choose one( series)? with --series NUMBER", "send it again with the token of one in the field series"),
    (r"^--series: (.*); leave the flag out$", r"series: \1; leave the field out"),
    (r"^--series: ", "series: "),
    (r"^--format:? ", "format "),
    (
        r"^--polarity: (.*); write for example --polarity (\w+),(\w+)$",
        r'polarity: \1; write for example ["\2", "\3"]',
    ),
    (r"; --film-frame N takes another", ""),
    (r"say --modality", "say the modality"),
    (
        r"say which, for example refine\('(\w+)', \.\.\.\)$",
        r'say which with the field finding, for example "\1"',
    ),
    (r"raise the limit with Limits\(\S+\) or (--limits \S+)", r"whoever runs the server may give it \1"),
    (r"raise the limit with (--limits \S+)", r"whoever runs the server may give it \1"),
)


def said_here(line: str) -> str:
    """The line with fields of a request in place of flags that whoever asks over HTTP cannot give."""
    for there, here in HERE:
        line = re.sub(there, here, line)
    return line

"""The rules of hadolint that can be checked on the text alone, under its own numbers; each a function of the
instructions. hadolint itself is no Python package."""

import json
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

HEX = re.compile(r"(?i)(password|passwd|secret|token|api_?key)\s*=\s*\S")


@dataclass(frozen=True)
class Step:
    """One instruction: its word in capitals, what follows (lines joined), and the number of its stage."""

    word: str
    rest: str
    stage: int

    @property
    def json(self) -> bool:
        """Whether what follows its flags is a JSON list of words."""
        text = re.sub(r"^(--\S+\s+)*(CMD\s+)?", "", self.rest)
        try:
            told = json.loads(text)
        except ValueError:
            return False
        return isinstance(told, list) and all(isinstance(word, str) for word in told)

    @property
    def commands(self) -> list[list[str]]:
        """The commands of a RUN, as lists of words."""
        parts = re.split(r"&&|\|\||;|\|", self.rest)
        return [shlex.split(part, comments=False) for part in parts if part.strip()]


def steps(text: str) -> list[Step]:
    """The instructions of a Containerfile, comments left out, continued lines joined."""
    joined = re.sub(r"\\\n", " ", re.sub(r"(?m)^\s*#.*\n", "", text))
    found: list[Step] = []
    stage = -1
    for line in joined.splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            stage += word.upper() == "FROM"
            found.append(Step(word.upper(), " ".join(rest.split()), stage))
    return found


def _of(found: Sequence[Step], *words: str) -> list[Step]:
    return [step for step in found if step.word in words]


def _runs(found: Sequence[Step], *start: str) -> Iterator[list[str]]:
    """Commands of RUN that begin so, whatever path or assignments stand before the program."""
    for step in _of(found, "RUN"):
        for command in step.commands:
            words = [w for w in command if not re.match(r"[A-Z_]+=", w)]
            if words:
                words[0] = words[0].rsplit("/", 1)[-1]
            if words[: len(start)] == list(start):
                yield words


def _aliases(found: Sequence[Step]) -> list[str]:
    named = [re.search(r"(?i)\sAS\s+(\S+)", step.rest) for step in _of(found, "FROM")]
    return [match.group(1) for match in named if match]


def _untagged(found: Sequence[Step]) -> bool:
    images = [step.rest.split()[0] for step in _of(found, "FROM")]
    own = [image for image in images if image not in (*_aliases(found), "scratch")]
    return any(not re.search(r"(:[\w.-]+|@sha256:\w+)$", image) or image.endswith(":latest") for image in own)


def _last_user(found: Sequence[Step]) -> str:
    last = [step for step in _of(found, "USER") if step.stage == found[-1].stage]
    return last[-1].rest.partition(":")[0] if last else "root"


def _npm_loose(found: Sequence[Step]) -> bool:
    return any(True for _ in _runs(found, "npm", "install"))


def _pip_unpinned(found: Sequence[Step]) -> bool:
    held = any("PIP_CONSTRAINT=" in step.rest for step in _of(found, "ENV"))
    for words in _runs(found, "pip", "install"):
        loose = [w for w in words[2:] if not w.startswith("-") and "==" not in w]
        if loose and not held and not {"-c", "--constraint", "-r", "--requirement"} & set(words):
            return True
    return False


def _apt(found: Sequence[Step], need: Callable[[list[str], str], bool]) -> bool:
    """Whether an ``apt-get install`` lacks what is needed of it, or of the whole RUN."""
    for step in _of(found, "RUN"):
        for words in step.commands:
            if words[:2] == ["apt-get", "install"] and not need(words, step.rest):
                return True
    return False


RULES: dict[str, Callable[[Sequence[Step]], bool]] = {
    "DL3000 WORKDIR is absolute": lambda f: any(s.rest[:1] not in "/$\"'" for s in _of(f, "WORKDIR")),
    "DL3002 the last USER is not root": lambda f: _last_user(f) in ("root", "0"),
    "DL3003 WORKDIR instead of cd": lambda f: any(True for _ in _runs(f, "cd")),
    "DL3004 no sudo": lambda f: any(True for _ in _runs(f, "sudo")),
    "DL3006 and DL3007 images have a tag that is not latest": _untagged,
    "DL3008 packages or their index are pinned by the image": lambda f: any(
        words[1:2] in (["upgrade"], ["dist-upgrade"]) for words in _runs(f, "apt-get")
    ),
    "DL3009 lists of apt are removed": lambda f: _apt(f, lambda _, run: "rm -rf /var/lib/apt/lists" in run),
    "DL3014 apt-get install asks nothing": lambda f: _apt(
        f, lambda w, _: bool({"-y", "-qqy", "--yes"} & set(w))
    ),
    "DL3015 apt-get install without recommended ones": lambda f: _apt(
        f, lambda words, _: "--no-install-recommends" in words
    ),
    "DL3012 one HEALTHCHECK": lambda f: len(_of(f, "HEALTHCHECK")) != 1,
    "DL3013 pip installs what is pinned": _pip_unpinned,
    "DL3016 npm installs what is locked": _npm_loose,
    "DL3020 COPY instead of ADD": lambda f: bool(_of(f, "ADD")),
    "DL3022 COPY --from a stage that is there": lambda f: any(
        (match := re.search(r"--from=(\S+)", s.rest)) and match.group(1) not in _aliases(f)
        for s in _of(f, "COPY")
    ),
    "DL3024 stages have names of their own": lambda f: len(_aliases(f)) != len(set(_aliases(f))),
    "DL3025 CMD and ENTRYPOINT in JSON": lambda f: any(
        not s.json for s in _of(f, "CMD", "ENTRYPOINT", "HEALTHCHECK")
    ),
    "DL3027 no apt": lambda f: any(True for _ in _runs(f, "apt")),
    "DL3042 pip keeps no cache": lambda f: any("--no-cache-dir" not in w for w in _runs(f, "pip", "install")),
    "DL3045 COPY to a relative place after WORKDIR": lambda f: any(
        not s.rest.split()[-1].startswith("/")
        and not any(w.stage == s.stage for w in _of(f[: list(f).index(s)], "WORKDIR"))
        for s in _of(f, "COPY")
    ),
    "DL3061 begins with FROM or ARG": lambda f: f[0].word not in ("FROM", "ARG"),
    "DL4000 no MAINTAINER": lambda f: bool(_of(f, "MAINTAINER")),
    "DL4003 and DL4004 one CMD and one ENTRYPOINT a stage": lambda f: any(
        [s.stage for s in _of(f, word)].count(stage) > 1
        for word in ("CMD", "ENTRYPOINT")
        for stage in {s.stage for s in f}
    ),
    "DL4006 a pipe sets pipefail": lambda f: any(
        re.search(r"(?<!\|)\|(?!\|)", s.rest) and "pipefail" not in s.rest for s in _of(f, "RUN")
    ),
    "no secret in ENV, ARG or LABEL": lambda f: any(
        HEX.search(s.rest) for s in _of(f, "ENV", "ARG", "LABEL")
    ),
    "no privileged port": lambda f: any(
        int(p.split("/")[0]) < 1024 for s in _of(f, "EXPOSE") for p in s.rest.split()
    ),
}


def broken(text: str) -> list[str]:
    """Names of the rules that a Containerfile breaks."""
    found = steps(text)
    return [name for name, breaks in RULES.items() if breaks(found)]

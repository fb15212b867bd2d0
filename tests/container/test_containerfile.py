"""The Containerfile keeps hadolint's simple rules, and the compose file locks down what it starts."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from containerfile_rules import RULES, broken, steps

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "Containerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
GOOD = """FROM debian:12 AS a
WORKDIR /x
COPY a b
RUN apt-get update && apt-get install -y --no-install-recommends x && rm -rf /var/lib/apt/lists/*
RUN pip install --no-cache-dir x==1
FROM debian:12
COPY --from=a /x /x
USER 1000
HEALTHCHECK CMD ["x"]
CMD ["x"]
"""


def test_the_containerfile_keeps_the_rules() -> None:
    assert broken(TEXT) == []


def test_a_file_that_keeps_them() -> None:
    assert broken(GOOD) == []


BAD = {
    "DL3000": ("WORKDIR /x", "WORKDIR x"),
    "DL3002": ("USER 1000", "USER root"),
    "DL3003": ("RUN pip", "RUN cd /x && pip"),
    "DL3004": ("RUN pip", "RUN sudo pip"),
    "DL3006": ("FROM debian:12\n", "FROM debian:latest\n"),
    "DL3008": ("RUN pip", "RUN apt-get upgrade && pip"),
    "DL3009": (" && rm -rf /var/lib/apt/lists/*", ""),
    "DL3014": (" -y", ""),
    "DL3015": (" --no-install-recommends", ""),
    "DL3012": ('HEALTHCHECK CMD ["x"]\n', ""),
    "DL3013": ("x==1", "x"),
    "DL3016": ("RUN pip", "RUN npm install && pip"),
    "DL3020": ("COPY a b", "ADD a b"),
    "DL3022": ("--from=a", "--from=b"),
    "DL3024": ("FROM debian:12\n", "FROM debian:12 AS a\n"),
    "DL3025": ('\nCMD ["x"]', "\nCMD x"),
    "DL3027": ("RUN pip", "RUN apt install x && pip"),
    "DL3042": (" --no-cache-dir", ""),
    "DL3045": ("WORKDIR /x\n", ""),
    "DL3061": ("FROM debian:12 AS a\n", "RUN x\nFROM debian:12 AS a\n"),
    "DL4000": ("USER", "MAINTAINER me\nUSER"),
    "DL4003": ('\nCMD ["x"]', '\nCMD ["y"]\nCMD ["x"]'),
    "DL4006": ("RUN pip", "RUN x | y && pip"),
    "no secret": ("USER", "ENV API_KEY=x\nUSER"),
    "no privileged": ("USER", "EXPOSE 80\nUSER"),
}


@pytest.mark.parametrize(("rule", "change"), BAD.items(), ids=BAD.keys())
def test_each_rule_has_a_file_that_breaks_it(rule: str, change: tuple[str, str]) -> None:
    assert change[0] in GOOD
    assert [name.split()[0] for name in broken(GOOD.replace(*change))] == [rule.split(maxsplit=1)[0]]


def test_no_rule_is_without_one() -> None:
    assert len(BAD) == len(RULES)


def test_stages_and_what_the_last_one_is() -> None:
    found = steps(TEXT)
    last = [step for step in found if step.stage == found[-1].stage]
    words = [step.word for step in last]
    assert "RUN" not in words[words.index("USER") :]
    assert not [step for step in last if step.word == "RUN" and re.search(r"pip|npm|apt", step.rest)]
    assert [step.rest for step in last if step.word == "EXPOSE"] == ["1527"]
    command = json.loads(last[-1].rest)
    assert command[:3] == ["serve", "--host", "0.0.0.0"]
    assert "--api-key-file" in command  # any address but loopback needs keys


def test_what_is_copied_is_there_and_not_ignored() -> None:
    kept = [
        row[1:].rstrip("/") for row in (ROOT / ".dockerignore").read_text().splitlines() if row[:1] == "!"
    ]
    for step in steps(TEXT):
        if step.word == "COPY" and "--from" not in step.rest:
            for source in step.rest.split()[:-1]:
                assert source.rstrip("/").split("/")[0] in kept
    assert all((ROOT / name).exists() for name in kept if name != "web" or (ROOT / "web").exists())


def test_torch_comes_first_and_alone() -> None:
    installs = [s.rest for s in steps(TEXT) if s.word == "RUN" and "pip install" in s.rest]
    assert [shlex.split(run)[-1] for run in installs] == ["torch", ".[serve,mcp]"]


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_a_service_of_the_compose_file_is_locked_down(name: str) -> None:
    service: dict[str, Any] = COMPOSE["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert service["tmpfs"]
    assert service["pids_limit"]
    assert service["mem_limit"]
    assert not {"privileged", "cap_add", "network_mode", "pid", "devices"} & set(service)
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert re.search(r":\d[\w.]*$", service["image"])
    assert not [volume for volume in service["volumes"] if volume.startswith((".", "/"))]


def test_secrets_are_files_and_no_value_stands_in_the_compose_file() -> None:
    for secret in COMPOSE["secrets"].values():
        assert set(secret) == {"file"}
        assert secret["file"].startswith("./secrets/")
    assert "secrets/" in (ROOT / ".gitignore").read_text().splitlines()
    for service in COMPOSE["services"].values():
        assert set(service["secrets"]) <= set(COMPOSE["secrets"])
        assert "environment" not in service


def test_the_archive_of_the_compose_file_is_one_that_is_read(tmp_path: Path) -> None:
    from medsegr.serve.archives import read_archives

    text = COMPOSE["configs"]["dicomweb"]["content"]
    assert "/run/secrets/orthanc-password" in text
    (tmp_path / "secret").write_text("x", encoding="utf-8")
    path = tmp_path / "dicomweb.toml"
    path.write_text(text.replace("/run/secrets/orthanc-password", "secret"), encoding="utf-8")
    archive = read_archives(path)["orthanc"]
    assert archive.push
    assert archive.url.split("/")[2].split(":")[0] in COMPOSE["services"]

"""A network of the usual kind, but small enough to be exported in a second: for tests."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import jaxtyping
import pytest
from torch import nn

from medsegr import predict, weights
from medsegr.backends import stages, store
from medsegr.model import MedSegR
from medsegr.networks import untrained
from medsegr.nn.blocks import Mlp
from medsegr.predict import Predictor
from medsegr.reasoning.attributes import AttributeTokens
from medsegr.reasoning.codes import Vocabulary, vocabulary
from medsegr.reasoning.fusion import Fusion
from medsegr.reasoning.modulators import Modulator
from medsegr.sam.sam import build_sam


@contextmanager
def unchecked() -> Iterator[None]:
    """Without the checks of types that tests have: sizes are tensors while torch traces a network."""
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)


CONCEPTS = ("polyp", "liver", "heart")


def small(words: Vocabulary) -> MedSegR:
    """All parts of the default network, with few channels."""
    sites = ((8, 8, "LT"), (16, 8, "LTS"), (16, 8, "LTS"), (16, 8, "LTS"))
    return MedSegR(
        host=build_sam(widths=(8, 16, 16, 16), stem=8, decoder_width=32),
        tokens=AttributeTokens(words, 32),
        fusion=Fusion(32, 32, heads=4, inner=64),
        modulators=nn.ModuleList(Modulator(c, r, 32, 32, heads) for c, r, heads in sites),
        attributes=Mlp(32, 32, len(words.codes)),
    )


def small_predictor(**card: object) -> Predictor:
    """A random one; its card says that it is mirrored and knows three concepts."""
    words = vocabulary(CONCEPTS, (), ("CR", "CT"))
    known = {name: {"trained_on": ["nothing"], "modalities": []} for name in CONCEPTS}
    told = {"name": "small", "sha256": "0" * 64, "licence": "Apache-2.0", "concepts": known}
    told |= {"presence_threshold": 0.0, "base": 64, "mirror": True, **card}
    return Predictor(untrained(small, words), words, told)


@cache
def small_traced() -> tuple[Predictor, Mapping[str, bytes]]:
    """One such network and its graphs. Tracing takes seconds, so it is done once a process; tests that use
    this stand in the group "runtimes", which keeps them in one."""
    made = small_predictor()
    with unchecked():
        return made, stages.traced(made.model)


def small_checkpoint(monkeypatch: pytest.MonkeyPatch, cache: Path) -> Predictor:
    """That network in the place of every checkpoint, and a cache of its own."""
    made, _ = small_traced()
    monkeypatch.setattr(stages, "traced", traced_once)
    monkeypatch.setattr(predict, "load", lambda *_given, **_more: made)
    monkeypatch.setattr(predict, "described", lambda *_given: (made.card, made.words))
    monkeypatch.setattr(weights, "verify", lambda *_given: made.card)
    monkeypatch.setattr(weights, "read_card", lambda *_given: made.card)
    monkeypatch.setenv(store.VARIABLE, str(cache))
    return made


def traced_once(network: object) -> Mapping[str, bytes]:
    """In the place of ``medsegr.backends.stages.traced``, for that network."""
    made, graphs = small_traced()
    assert network is made.model
    return graphs

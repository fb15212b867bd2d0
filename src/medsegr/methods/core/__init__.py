"""The family of medsegr's own models. The code lives in the house itself; these are its cards, like those of
any other method.
"""

from medsegr.registry import Card

CARDS = (
    Card(
        "medsegr-tiny",
        "medsegr.predict:build",
        "the default: a small SAM-shaped host modulated by the words of the report",
        family="core",
        dims=(2, 3),
        reads=("image", "text", "points", "boxes", "mask"),
        tiny={"untrained": True, "seed": 0},
        paper="after MedSeg-R (arXiv 2506.18669); our own formulae, not a reproduction",
        tier="core",
        checked="formula",
        network="medsegr.networks:medsegr",
    ),
)

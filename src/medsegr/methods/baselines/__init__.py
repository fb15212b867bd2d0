"""Anchors without learning. A trained model that does not beat them has not learnt what it is asked for."""

from medsegr.registry import Card

CARDS = (
    Card(
        "constant",
        "medsegr.methods.baselines.constant:build",
        "one centred ellipse, whatever the image and whatever the words",
        family="baselines",
        dims=(2, 3),
        reads=(),
        checked="formula",
    ),
    Card(
        "otsu",
        "medsegr.methods.baselines.otsu:build",
        "Otsu's threshold; looks at the image and ignores the words",
        family="baselines",
        dims=(2, 3),
        reads=("image",),
        paper="Otsu 1979, doi 10.1109/TSMC.1979.4310076",
        checked="formula",
    ),
    Card(
        "place",
        "medsegr.methods.baselines.place:build",
        "the region that the words name; reads the words and ignores the image",
        family="baselines",
        dims=(2, 3),
        reads=("text",),
        checked="formula",
    ),
    Card(
        "threshold",
        "medsegr.methods.baselines.threshold:build",
        "a stand-in for checking a pipeline: the largest piece above Otsu's threshold, whatever the words",
        family="baselines",
        dims=(2, 3),
        reads=("image",),
        paper="Otsu 1979, doi 10.1109/TSMC.1979.4310076",
        checked="formula",
    ),
)

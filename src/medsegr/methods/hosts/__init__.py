"""Our two stages of words on foreign hosts: a card for each host whose weights are public, and one for any
other.
"""

from medsegr import hub
from medsegr.registry import Card

PAPERS = {
    "sam": "SAM (arXiv 2304.02643)",
    "sam-hq": "SAM-HQ (arXiv 2306.01567)",
    "sam2": "SAM 2 (arXiv 2408.00714)",
    "edgetam": "EdgeTAM (arXiv 2501.07256)",
    "sam3": "SAM 3 (arXiv 2511.16719)",
}
SAME = {"sam": "sam-vit-b", "sam-hq": "sam-hq-vit-b", "sam2": "sam2-hiera-tiny"}
SLOW = "the same network as {} but for its width; the exam is sat there"
CHECKS = (
    "keeps_grid_affine_and_targets",
    "gives_probabilities",
    "takes_one_and_three_channels",
    "takes_odd_and_non_square_sizes",
    "takes_anisotropic_spacing",
    "leaves_its_input_alone",
    "answers_the_same_twice",
    "takes_targets_together_or_alone",
    "takes_an_empty_prompt",
    "hears_what_it_reads",
    "does_not_follow_negated_places",
)


def card(name: str, family: str, licence: str, options: dict[str, str]) -> Card:
    """The words on one host; of hosts that differ in width alone one sits the exam."""
    first = SAME.get(family, name)
    return Card(
        f"{name}+words",
        "medsegr.methods.hosts.words:build",
        f"the words of the report in {PAPERS[family].partition(' (')[0]} ({name}), its encoder frozen",
        family="hosts",
        dims=(2, 3),
        reads=("image", "text", "points", "boxes", "mask"),
        needs=("transformers", "peft", "timm") if family == "edgetam" else ("transformers", "peft"),
        extra="sam",
        tiny={"untrained": True, "seed": 0, "host": f"tiny:{family}"},
        paper=PAPERS[family],
        licence=licence,
        checked="formula",
        skips={} if name in (first, "host") else dict.fromkeys(CHECKS, SLOW.format(first)),
        network="medsegr.networks:hosted",
        options=options,
    )


CARDS = (
    *(card(row.name, row.family, row.licence, {"host": row.name}) for row in hub.table().values()),
    Card(
        "host+words",
        "medsegr.methods.hosts.words:build",
        "the words of the report in a host of your own: a folder of weights (--host FOLDER)",
        family="hosts",
        dims=(2, 3),
        reads=("image", "text", "points", "boxes", "mask"),
        needs=("transformers", "peft"),
        extra="sam",
        tiny={"untrained": True, "seed": 0, "host": "tiny:sam"},
        paper="as that of the host",
        licence="as that of the host",
        checked="formula",
        skips=dict.fromkeys(CHECKS, SLOW.format("sam-vit-b")),
        network="medsegr.networks:hosted",
    ),
)

"""The model card and the README's table, written from the checkpoint's JSON: facts are derived, only the
prose is typed.

``python -m medsegr.bench.card`` writes ``medsegr-tiny.md`` beside the weights and the part of README.md after
its marker; of another checkpoint (``--model``) the card alone.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medsegr import weights
from medsegr.metrics.intervals import span
from medsegr.results.verdicts import LOW

MARKER = "<!-- numbers -->"
END = "<!-- end of numbers -->"
LICENCES = {
    "polyp_kvasir_seg": "Kvasir-SEG, research and education; in HyperKvasir CC BY 4.0",
    "micro_dsb2018": "Data Science Bowl 2018, CC0",
    "path_monuseg": "MoNuSeg, CC BY-NC-SA 4.0",
    "cxr_covid_gb": "masks CC BY 4.0, images mostly CC BY-NC-SA",
    "cxr_covid_by": "three chest films: masks CC BY 4.0, images CC BY and CC BY-SA",
    "us_busi": "BUSI, public with the duty to cite",
    "us_breast_busuc": "BUS-UC, CC BY 4.0",
    "us_carotid": "CCAUS, CC BY 4.0",
    "us_fetal_head": "HC18, CC BY 4.0",
    "retina_chase": "CHASE_DB1, CC BY 4.0",
    "retina_fives": "FIVES, CC BY 4.0",
    "derm_isic2017": "ISIC 2017, CC0",
    "mammo_cesm": "CDD-CESM, TCIA policy / CC BY 4.0",
    "ct_liver_chaos": "CHAOS, CC BY-NC-SA 4.0",
    "ct_spleen": "Medical Segmentation Decathlon, CC BY-SA 4.0",
    "ct_lung_tumour": "Medical Segmentation Decathlon, CC BY-SA 4.0",
    "mri_left_atrium": "Medical Segmentation Decathlon, CC BY-SA 4.0",
    "mri_lgg": "LGG (TCGA), CC BY-NC-SA 4.0",
    "mri_ms_flair": "Muslim et al. 2022, CC BY 4.0",
    "mri3d_hippocampus": "Medical Segmentation Decathlon, CC BY-SA 4.0",
}
PICTURES = {  # by the beginning of a set's name
    "ct_": "CT",
    "cxr_": "chest films",
    "derm_": "dermoscopy",
    "mammo_": "mammograms",
    "micro_": "microscopy",
    "mri_": "MR",
    "mri_lgg": "MR in false colours",
    "path_": "stained tissue",
    "polyp_": "endoscopy",
    "retina_": "fundus photographs",
    "us_": "ultrasound",
}
FEWEST = 5  # a row on fewer targets is printed with a warning sign
BANDS = (("0.8 and more", 0.8), ("0.5 to 0.8", LOW), ("**Below 0.5, so bad**", 0.0))
FAILURES = """## Known failures

- Sets of a few images (all rows marked few, and concepts with few training cases) are not learned in any
  useful sense.
- Thin structures (vessels, tubes, airways) lose their ends.
- A target that is not there is still drawn at times, see the last two columns; inside one kind of image (a
  polyp-free colon, a chest film without the finding) much more often than across kinds.
- Shape or texture words alone tell one lesion from another of its name only in part; place words do better.
- Volumes are read slice by slice; there is no three-dimensional context beyond the two neighbours.
"""


def sets_table(card: Mapping[str, Any], *, whole: bool = True) -> str:
    """Dice an image of the validation part of every set: by name alone, with true and with wrong oracle
    places. If not ``whole``, of the sets with no fewer than ``FEWEST`` targets, by what they show."""
    first = "validation set" if whole else "held-out images"
    lines = [
        f"| {first} | targets | name alone [95 %] | + true place (oracle) | + opposite place "
        "| foreign target drawn | drawn in a part without it |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in card["validation"]["sets"].items():
        if not whole and row["targets"] < FEWEST:
            continue
        low, high = row["interval"] or (None, None)
        few = " (few)" if row["targets"] < FEWEST else ""
        cells = (
            name if whole else f"{', '.join(row['by target'])} in {pictures(name)} (`{name}`)",
            f"{row['targets']}{few}",
            f"{row['name']:.3f} {span(low, high)}",
            f"{row['place']:.3f}",
            f"{row['opposite']:.3f}",
            f"{row['foreign drawn']:.0%}",
            f"{row['drawn beside']:.0%} of {row['beside']}" if row.get("beside") else "",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def pictures(name: str) -> str:
    """What kind of image a set holds, by its name; the name itself where it tells none."""
    kinds = [kind for start, kind in PICTURES.items() if name.startswith(start)]
    return kinds[-1] if kinds else name


def bands(card: Mapping[str, Any]) -> str:
    """Of the sets with fewer than ``FEWEST`` targets, and of what is bad in any set, the Dice of each target
    by its name alone with the number of targets, best first: one line a band."""
    rows = [
        (dice, f"{target} in {pictures(name)} {dice:.3f} ({count})")
        for name, row in card["validation"]["sets"].items()
        for target, (dice, count) in row["by target"].items()
        if row["targets"] < FEWEST or dice < LOW
    ]
    rows.sort(key=lambda row: -row[0])
    lines, above = [], float("inf")
    for label, least in BANDS:
        if told := [text for dice, text in rows if least <= dice < above]:
            lines.append(f"- {label}: {', '.join(told)}.")
        above = least
    return "\n".join(lines)


def targets_table(card: Mapping[str, Any]) -> str:
    """Dice by target, name alone, over all validation sets."""
    lines = ["| set | target | Dice, name alone | targets |", "|---|---|---|---|"]
    for name, row in card["validation"]["sets"].items():
        lines += [
            f"| {name} | {target} | {value:.3f} | {count} |"
            for target, (value, count) in row["by target"].items()
        ]
    return "\n".join(lines)


def phantoms_table(card: Mapping[str, Any]) -> str:
    """Dice to the lesion that a phrase names, to the others, and with a phrase of another image."""
    lines = [
        "| phantom, two lesions or more | phrases | named lesion | other lesions | foreign phrase |",
        "|---|---|---|---|---|",
    ]
    for kind, row in card["validation"]["phantoms"].items():
        values = (row["named"], row["others"], row["foreign phrase"])
        cells = ("" if value is None else f"{value:.3f}" for value in values)
        lines.append(f"| {kind} | {row['lesions']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def concepts_table(card: Mapping[str, Any]) -> str:
    """What it was trained for, and on what."""
    lines = ["| concept | from | modalities | training cases |", "|---|---|---|---|"]
    for name, entry in card["concepts"].items():
        real = entry.get("real_in") or entry["modalities"]
        seen = ", ".join(m if m in real else f"{m} (made)" for m in entry["modalities"])
        lines.append(f"| {name} | {' and '.join(entry['trained_on'])} | {seen} | {entry['cases']} |")
    words = (
        ("also", "also asked for as"),
        ("loose", "drawn, where the picture surely shows it, for"),
        ("parts", "drawn as the union of"),
        ("rivals", "not seen where it is hardly likely and there surely is"),
    )
    for key, told in words:
        lines += [f"\n{name}: {told} {', '.join(names)}." for name, names in card.get(key, {}).items()]
    return "\n".join(lines)


def model_card(card: Mapping[str, Any]) -> str:
    """The whole card as Markdown."""
    state, kinds = card["training"], card["validation"]["phantoms"]
    learned = card.get("sets") or card["validation"]["sets"]  # of weights of one's own: those judged on
    data = "\n".join(f"- {name}: {LICENCES.get(name, 'licence not told')}" for name in learned)
    limits = "non-commercial and share-alike" if "NC" in card["licence"] else "share-alike"
    return f"""# Model card: {card["name"]}

Written by `python -m medsegr.bench.card` from `{card["name"]}.json`. **Not a medical device. For research.**

{card["parameters"] / 1e6:.2f} million parameters; SHA-256 `{card["sha256"]}`; licence of the weights:
**{card["licence"]}** ({limits}, because images of that licence went in). The code is Apache-2.0.

## What it is for

One mask for each finding that a report names, in pictures and slices of the kinds below, for research:
annotation that a person checks, studies of report-guided segmentation. Not for diagnosis, not for measurement
that anyone acts on.

## What it was trained on

{state["images"]:,} samples in {state["seconds"] / 60:.0f} minutes on {card.get("hardware", "?")},
after a warm start from {card.get("warm_start", "nothing")}. Recipe: `configs/`, log:
`docs/log.md`. Ten percent of every set's groups (patients where they are known) were held out; the numbers
below are on those. No image that stands here for judging was trained on.

{data}
- made bodies of {len(kinds)} kinds (`medsegr phantom`: {", ".join(kinds)})

## Numbers

Dice an image, mean with a 95 % bootstrap interval over groups. Place words are made from the true mask:
**oracle text**. "Opposite place" says the third of the picture that lies across. "Foreign target drawn": how
often a mask came when something was asked that such an image cannot show. "Drawn in a part without it": how
often one came in parts of the pictures beside the target that were asked for it by its name (nothing that has
a side). Rows marked (few) rest on fewer than {FEWEST} targets and say little. Logits are divided by a
temperature of {card.get("temperature", 1.0):g},
chosen on training images; masks do not hang on it.

{sets_table(card)}

{targets_table(card)}

Words decide which lesion is meant (made bodies, seeds that were not trained on; 0 is best in the last two
columns):

{phantoms_table(card)}

## Concepts it knows

Anything else is refused as `unknown_concept`. What comes from phantoms only was never seen in a real image
and is refused there as `made_only`; organs are drawn with a warning. So is what real images of another
modality taught: "CT (made)".

{concepts_table(card)}

{FAILURES}"""


def readme_part(card: Mapping[str, Any]) -> str:
    """The README's numbers: what rests on ``FEWEST`` targets and more as tables, the rest as a list."""
    sets = card["validation"]["sets"].values()
    few = sum(row["targets"] < FEWEST for row in sets)
    return f"""{MARKER}
`{card["name"]}`, {card["parameters"] / 1e6:.1f} million parameters, on images that it was not trained on. A
target is one mask of one image (a chest film has several). Dice by the target's name alone, mean with a 95 %
interval over groups; with the true and with the opposite place told as well (oracle text: made from the true
mask); how often something was drawn that such an image cannot show, and how often in parts of the images
beside the target that were asked for it:

{sets_table(card, whole=False)}

{few} more sets have fewer than {FEWEST} held-out targets each, so their numbers say little by themselves
([all rows](src/medsegr/weights/{card["name"]}.md)). By the name alone, in brackets the number of targets:

{bands(card)}

Where one of the last is drawn all the same, the warning `measured_low` says so.

Whether the words decide which of several lesions is drawn is asked of made bodies. Dice to the lesion that
the phrase names; to the others, and with a phrase of another image, where 0 is best:

{phantoms_table(card)}
{END}"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m medsegr.bench.card", description="Write the model card and README table."
    )
    parser.add_argument("--model", default=weights.DEFAULT)
    parser.add_argument("--readme", type=Path, default=Path("README.md"))
    given = parser.parse_args(arguments)
    card = weights.read_card(given.model)
    weights.find(given.model)[1].with_suffix(".md").write_text(model_card(card), encoding="utf-8")
    if given.model != weights.DEFAULT:
        return
    text = given.readme.read_text(encoding="utf-8")
    before, _, after = text.partition(MARKER)
    rest = after.partition(END)[2] if END in after else after
    given.readme.write_text(before + readme_part(card) + rest, encoding="utf-8")


if __name__ == "__main__":
    main()

"""``medsegr bench compare``: one method against another on what both have judged."""

import json
from typing import Annotated, Any

from medsegr.cli.flags import Json, LogFlags, argument, grouped, option
from medsegr.cli.logs import set_up


@grouped
def command(
    logs: LogFlags,
    a: Annotated[str, argument(metavar="A", help="FOLDER of a run, or FOLDER:LABEL of a method in it.")],
    b: Annotated[str, argument(metavar="B", help="The other one, of the same or of another run.")],
    control: Annotated[
        str,
        option("--control", help="The words that both were told: free (the name), right, shuffled ..."),
    ] = "free",
    min_images: Annotated[
        int, option("--min-images", min=0, help="Sets with fewer images stay out of the total.")
    ] = 0,
    as_json: Json = False,
) -> int:
    """Compare two methods: difference of Dice an image with interval and permutation test, by set and by
    area."""
    set_up(logs)
    from medsegr.bench.compare import compare

    told = compare(a, b, control, min_images)
    print(json.dumps(told, indent=1) if as_json else "\n".join(lines(told)))
    return 0


def lines(told: dict[str, Any]) -> list[str]:
    """The comparison as lines for a person."""
    from medsegr.metrics.intervals import span

    words = f"words: {', '.join(told['words'])}" if told["words"] else "neither reads words"
    out = [f"{told['a']} minus {told['b']}, Dice an image, control {told['control']} ({words})"]
    rows = [
        ("all", told["all"], None),
        *((row["set"], row, row["p_holm"]) for row in told["sets"]),
        *((row["area"], row, row["p_holm"]) for row in told["strata"]),
    ]
    for name, row, holm in rows:
        d = row["difference"]
        p = f"p {row['p']:.4f}" + ("" if holm is None else f", Holm {holm:.4f}")
        out.append(
            f"  {name:22s} {row['a']:.3f} - {row['b']:.3f} = {d['mean']:+.3f} "
            f"{span(d['low'], d['high'], '+.3f')}  {p}  ({d['n']} targets, {row['images']} images)"
        )
    for label, count in zip((told["a"], told["b"]), told["alone"], strict=True):
        if count:
            images = "an image" if count == 1 else f"{count} images"
            out.append(f"  left out: {images} that only {label} has judged")
    if not told["same_words"]:
        out.append("  the runs drew these words with different seeds: the two were not told the same")
    if not told["same_device"]:
        out.append("  the runs come from different devices: their seconds and U-Scores are not comparable")
    return out

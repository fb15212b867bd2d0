"""The page of codes: what stands in findings.json in short, what it means, and what to do then.

The codes of status and reason come from the schema; that no other code is missing is seen by
``tests/docs/test_codes.py``, which reads them off the source.
"""

from collections.abc import Iterable, Mapping

from medsegr.results.schema import STATUSES, findings_schema

Told = Mapping[str, tuple[str, str]]  # code -> what it means, what to do

INTRO = """# Codes

All that [findings.json](findings-json.md) says in short, what it means, and what to do then. Codes are for
programs, and new ones may come; the message beside a code is for people and may change.
`medsegr parse --json`, the [HTTP interface](http-api.md) and `Result.warnings` in Python use the same codes.
"""

STATUS: Mapping[str, str] = {
    "segmented": "a mask was drawn",
    "skipped": "no mask was meant to be drawn",
    "not_found": "the model looked and found nothing to draw",
    "refused": "a mask would have been worth nothing",
    "failed": "an error of the model; other findings are not touched by it",
}
REASONS: Told = {
    "absent": (
        "the report denies it",
        "nothing; `--polarity present,absent` asks whether the model sees it all the same",
    ),
    "uncertain": ("the report leaves it open", "`--polarity present,uncertain` draws it"),
    "prior": (
        "it was there at an earlier time and is no more, or only an older image is spoken of",
        "nothing",
    ),
    "not_this_patient": ("it is said of somebody else, a relative for example", "nothing"),
    "no_place": ("a statement without a place, such as a normal heart size", "nothing"),
    "not_in_image": (
        "such a thing is seen in quite another kind of image",
        "see that report and image belong together, and that `--modality` is right",
    ),
    "presence_low": (
        "`presence` is below the model's threshold",
        "look at the image; ask by a plainer phrase (`-p`), or by points ([how](../how-to/refine.md))",
    ),
    "empty": ("the mask has no pixel, or a person's prompts left none", "as above"),
    "unknown_concept": (
        "the model was not trained for this concept in such images",
        "`medsegr info --classes` lists what it knows; `--force` draws all the same and marks the mask",
    ),
    "part_unknown": (
        "a part of an organ was asked for, which the model knows as a whole only",
        "ask for the organ; `--force` draws that and marks the mask "
        "([why](../decisions/0066-a-part-is-not-the-whole.md))",
    ),
    "kind_unknown": (
        "a kind of a thing was asked for (tumour nuclei, retinal veins), and the model knows all of them",
        "ask for all of them; `--force` draws that and marks the mask "
        "([why](../decisions/0068-a-kind-is-not-all-of-it.md))",
    ),
    "made_only": (
        "the model learned this concept from made images only, and this is a real one",
        "`--force` draws it and marks the mask ([why](../decisions/0051-learned-from-made-images.md))",
    ),
    "geometry": (
        "the image's place in space makes no sense, so no side can be told",
        "repair the header ([how](../how-to/read-images.md)), or give the image without one",
    ),
    "too_small": (
        "the image has fewer than 8 px in height or width, or the told size is below one pixel",
        "give the image at its full size",
    ),
    "error": ("the model failed", "see the warning `error`, which says why"),
}
CHECKS: Told = {
    "side": ("the mask lies on the told side", "at `fail`, believe neither: look at the image and the words"),
    "anatomy": (
        "of a whole organ of one side (spleen, liver, gallbladder): it lies where it does in most people",
        "at `warn` the image is mirrored, the mask wrong, or the body rare",
    ),
    "place": (
        "half of it lies in the told thirds of the image",
        "at `warn`, look: the words may mean thirds of an organ",
    ),
    "presence": (
        "`presence` is clearly above the threshold; of a denied finding: the model does not see it either",
        "at `warn`, look whether it is there at all",
    ),
    "border": ("it does not reach the image's edge", "at `warn`, its sizes are of the part that is seen"),
    "agreement": (
        "it lies about where the report-free mask lies",
        "at `warn`, compare both: `masks/f1.*` and `masks/f1_free.*`",
    ),
    "concept": (
        "the model was trained for it: `warn` where `--force` or a person's prompts drew it all the same",
        "do not rely on it",
    ),
}
OUTCOMES: Mapping[str, str] = {
    "pass": "it is so",
    "warn": "it is not, or cannot be told: look",
    "fail": "the mask contradicts the words; only `side` can fail (exit code 5 with `--side-check strict`)",
}
MEASURED: Told = {
    "ok": ("the value holds", "nothing"),
    "empty": ("null: the mask has no voxel", "nothing"),
    "no_spacing": (
        "null: nobody said how large a pixel is",
        "give a file that says it (DICOM, NIfTI), or the `spacing` in Python",
    ),
    "too_small": ("fewer than 4 voxels: the grid decides the size", "take the value as a bound"),
    "cut_by_border": ("the mask reaches the image's edge", "take the value as that of a part"),
    "no_value": ("null: not a finite number", "nothing"),
    "touching": ("a distance of 0: both masks share a voxel", "nothing"),
}
REVIEW: Mapping[str, str] = {
    "revision": "how often it was drawn again, from 0",
    "accepted": "a person took the mask as it is: it is locked until an undo",
    "edited": "the mask holds what a person painted, pixel by pixel",
    "prompts": "what was given, one entry a picture, or one a slice that was worked on",
    "slice": "of a prompt: its slice, counted from 0; null on a picture",
    "points": "of a prompt: x, y and 1 (inside) or 0 (outside)",
    "boxes": "of a prompt: x0, y0, x1, y1, upper edges exclusive",
    "mask": "of a prompt: a drawn mask was given to start from",
    "painted": "of a prompt: the plane was painted by hand; what stands beside it came after",
}
WARNINGS: Mapping[str, Told] = {
    "The image": {
        "frame_assumed": (
            "nobody said whose left is meant, so it was assumed",
            "say it: `--modality`, or `--frame patient` or `viewer`",
        ),
        "orientation_assumed": (
            "the header tells no orientation: left and right are assumed",
            "take a file that tells it, above all before you trust a side",
        ),
        "no_affine": (
            "an array came without an affine: its axes are taken in the usual order",
            "give the `affine` with it",
        ),
        "no_spacing": (
            "nobody said how large a pixel is: nothing is measured in mm",
            "give a file that says it, or the `spacing` in Python",
        ),
        "spacing_at_detector": (
            "the spacing holds at the detector of a projection",
            "take lengths as upper bounds: in the body they are smaller",
        ),
        "several_scales": (
            "an ultrasound picture holds regions of different scales: nothing is measured in mm",
            "cut the picture to one region",
        ),
        "constant_image": ("every pixel has the same value", "see that the right file came"),
        "depth_reduced": (
            "16 bits a channel came, 8 of them were kept",
            "where they matter, save it as one channel without transparency",
        ),
        "alpha": (
            "parts of the picture are transparent, some maybe in part, and were laid on black",
            "save it without transparency",
        ),
        "burned_in_text": (
            "text may be drawn into the pixels, a name for example",
            "look before you pass the image or the overlay on",
        ),
        "series_chosen": (
            "several DICOM series came, one was taken by rule",
            "`medsegr segment --series list` shows all, `--series N` takes another",
        ),
        "one_frame_of_film": ("one frame of a film was taken", "`--film-frame N` takes another"),
        "gaps_accepted": (
            "missing, doubled or uneven slices were put on an even grid (`--accept-gaps`)",
            "do not rely on what lies between slices",
        ),
        "tilt_resampled": (
            "slices of a tilted gantry were resampled to a straight grid",
            "nothing; masks lie on the straight grid",
        ),
        "files_damaged": (
            "files of a DICOM folder are damaged and were left out: slices may be missing",
            "copy them again; `--series list` names them",
        ),
        "files_left_out": ("files of the folder hold no image", "nothing, if you expected them"),
        "copies_left_out": ("files are copies of others", "nothing"),
        "modality_report": (
            "image and report speak of different kinds of image",
            "see that they belong together",
        ),
        "modality_supposed": (
            "nobody said what kind of image this is: taken from the words, or from the look of a picture",
            "say it: `--modality`",
        ),
        "modality_pixels": (
            "the pixels do not look like the modality",
            "check the file, or say `--modality`",
        ),
    },
    "Masks that were read (`medsegr measure`)": {
        "outlines_open": (
            "points and open lines of an RT structure set enclose nothing and were left out",
            "nothing, if they were not meant as masks",
        ),
        "outlines_between": (
            "contours lie between the slices of the image and were put on the nearest one",
            "see that the image is the one that they were drawn on",
        ),
        "outlines_cut": (
            "contours reach beyond the image and were cut off at its edge",
            "as above; its sizes are of the part that is seen",
        ),
        "edges_cut": (
            "a picture of a mask has soft edges, or is a JPEG: its outline was cut at half",
            "save masks as PNG in two values",
        ),
        "outlines_apart": (
            "contours leave slices out, on which nothing is marked",
            "as above; nothing is drawn between contours",
        ),
        "outlines_empty": (
            "an ROI has no contour, or none that encloses the centre of a voxel, so its mask is empty",
            "it was planned and never drawn, or needs an image of finer voxels",
        ),
    },
    "The report": {
        "nothing_read": (
            "no finding was recognised in these words",
            "say it plainer, or ask by a phrase (`-p`)",
        ),
        "passage_unread": (
            "the report states something by a name that is not known: nothing was drawn for it",
            "read these passages yourself; ask by a phrase (`-p`) for what is meant, or draw it by hand",
        ),
        "nothing_proposed": (
            "no words came, and the model sees nothing of what it looks for of itself in such images",
            "say what is meant: `-r`, `-t` or `-p`",
        ),
        "sections_left_out": ("findings stand in sections that `--section` left out", "nothing, if meant so"),
        "modality_unknown": (
            "the told modality is none that is known",
            "give a DICOM code: CR, CT, MR, US, ES",
        ),
        "report_language": (
            "sentences are in another language than English and were not read: what they deny is not known",
            "give the report in English",
        ),
        "report_encoding": (
            "the file is not UTF-8 and was read in an older encoding",
            "look at accents and signs, or save it as UTF-8",
        ),
        "report_status": ("a FHIR report that is not final", "read the final one once it is there"),
        "report_form_left": (
            "an attached form of a FHIR report was not read (a PDF, an address, damage)",
            "give its text with `-r`",
        ),
        "report_codes_left": ("conclusion codes of a FHIR report were left: only words are read", "nothing"),
        "sr_partial": ("a DICOM SR that is marked partial", "do not take it for all"),
        "sr_preliminary": ("a DICOM SR that is marked preliminary", "read the final one once it is there"),
        "sr_unverified": ("a DICOM SR that nobody has signed", "treat its words so"),
    },
    "The language model (`--llm-url`)": {
        "llm_added": ("a finding or value that the model alone read", "check its words"),
        "llm_disagrees": ("rules and model read something differently; the rules stand", "check the words"),
        "llm_dropped": ("something the model said was left out, with the reason", "nothing"),
        "llm_silent": (
            "the model gave nothing that could be used; the findings are those of the rules",
            "see that the server runs and knows `--llm-model`",
        ),
    },
    "The run": {
        "error": (
            "the model failed on a finding, or could not propose any",
            "the message says why; with `out of memory` take a smaller image or another `--device`",
        ),
        "drawn_as": (
            "a word for many things (`lesion`) was drawn as the one that the picture surely shows",
            "name what is meant",
        ),
        "look_not_followed": (
            "a phrase asked for some of a thing (`small vessels`, `enhancing tumour`), and all was drawn",
            "take it for the whole, or correct it by hand; the network does not tell them apart",
        ),
        "forced": (
            "drawn by `--force`: the model was not trained for the concept, or on made images only",
            "do not rely on it",
        ),
        "looks_mirrored": (
            "an organ lies where it does in hardly anybody, or the heart of a film leans to the right",
            "compare with the letters on the film or another source; left and right of all masks hang on it",
        ),
        "looks_negative": (
            "what is not seen in a radiograph is seen in its negative, a chest film looks like one, or a "
            "mammogram or slice of CT or MR stands on white",
            "if bone is dark in it, invert the picture and ask again",
        ),
        "looks_turned": (
            "a chest film lies on its side or stands on its head",
            "turn it as the message says and ask again; every place and side hangs on it",
        ),
        "narrow_window": (
            "something of the chest is asked of a slice of CT in whose window the lungs are black",
            "give the slice as a picture in a lung window and ask again",
        ),
        "whole_known": (
            "a part or kind of a thing was asked for, which the model knows as a whole only",
            "ask for the whole, if that is meant",
        ),
        "narrower_known": (
            "what is asked for is refused, but the model knows kinds of it",
            "name the one that is meant",
        ),
        "known_elsewhere": (
            "what is asked for is refused in an image of this kind, but the model knows it in others",
            "see that the image is what it is taken for: `--modality`",
        ),
        "measured_low": (
            "on the validation images in the model's card its masks of this concept reached a Dice below .5",
            "look at the mask closely; `medsegr info --classes` tells what was measured",
        ),
        "few_pixels": (
            "the picture is less than 48 px long, and something was drawn in it",
            "give the picture at its full size, or look closely",
        ),
        "one_region": (
            "findings that the report tells apart were drawn as nearly the same pixels",
            "take them for one thing, or say where each lies",
        ),
        "phantom_only": (
            "the organ was learned from made images only; that it was drawn, or not seen, means little",
            "do not rely on it",
        ),
        "no_attention": (
            "`--explain` came, and the model gave no map of where the words acted",
            "nothing; the masks are not touched by it",
        ),
    },
    "What was written": {
        "dicom_seg_not_written": (
            "the DICOM input's header allows no DICOM SEG, which nobody had asked for by name",
            "the message says what is missing; the masks stand beside it",
        ),
        "masks_not_written": (
            "no format that holds masks was asked for",
            "segment again with a `--format` that holds masks; `medsegr convert` cannot bring them back",
        ),
        "no_segments": ("no mask was drawn, so there is no DICOM SEG or RT structure set", "nothing"),
        "no_findings": ("there is no finding, so there is no DICOM SR", "nothing"),
    },
    "Corrections": {
        "words_and_clicks_disagree": (
            "the prompts mean another place than the words; the prompts were followed",
            "look at the words again, above all at side and place",
        ),
        "replayed_differently": (
            "a session done again gave other masks than it did then",
            "expect it on another processor or version of torch; else look what changed",
        ),
    },
}


def page() -> str:
    """The whole page."""
    return "".join((INTRO, *_verdicts(), *_asked(), *_review(), *_warnings()))


def _verdicts() -> Iterable[str]:
    yield "\n## Status and reason\n\nOf a finding: `status`, and the `reason` why there is no mask.\n\n"
    yield "| status | means | reasons |\n|---|---|---|\n"
    for status, reasons in STATUSES.items():
        shown = ", ".join(f"`{reason}`" for reason in reasons if reason) or "none"
        yield f"| `{status}` | {STATUS[status]} | {shown} |\n"
    ordered = [reason for reasons in STATUSES.values() for reason in reasons if reason]
    yield "\n" + _table("reason", {reason: REASONS[reason] for reason in ordered})


def _asked() -> Iterable[str]:
    yield "\n## Checks\n\nOf a finding: `checks`, each with `name` and `outcome`.\n\n"
    yield _table("check", CHECKS, "asks whether")
    yield "\n| outcome | means |\n|---|---|\n"
    yield from (f"| `{name}` | {meaning} |\n" for name, meaning in OUTCOMES.items())
    yield "\n## Measurements\n\nOf a value in `measurements`: its `status`.\n\n"
    yield _table("status", MEASURED)


def _review() -> Iterable[str]:
    finding = findings_schema()["properties"]["findings"]["items"]["properties"]
    told = finding["review"]["properties"]
    yield "\n## Review\n\nOf a finding: `review`, which is there once a person did something to it.\n\n"
    yield "| field | means |\n|---|---|\n"
    names = (*told, *told["prompts"]["items"]["properties"])
    yield from (f"| `{name}` | {REVIEW[name]} |\n" for name in names)


def _warnings() -> Iterable[str]:
    yield "\n## Warnings\n\nAt the top: `warnings`, each with `code` and `message`.\n"
    for title, codes in WARNINGS.items():
        yield f"\n### {title}\n\n{_table('code', codes)}"


def _table(first: str, told: Told, second: str = "means") -> str:
    rows = "".join(f"| `{code}` | {meaning} | {advice} |\n" for code, (meaning, advice) in told.items())
    return f"| {first} | {second} | what to do |\n|---|---|---|\n{rows}"

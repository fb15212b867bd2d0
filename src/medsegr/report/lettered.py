"""Words that name a place in one kind of image only: "RE" of a fundus photograph, "fundus" in endoscopy."""

from collections.abc import Collection, Sequence

from medsegr.report.lexicon import concepts
from medsegr.report.tokens import Token

EYES = {"re": ("right", "eye"), "le": ("left", "eye"), "be": ("both", "eye")}
NECK = {"bulb": ("carotid", "bulb"), "bifurcation": ("carotid", "bifurcation")}
FUNDI = (  # by the words that are told beside it
    (
        ("uterine", "fundus"),
        frozenset(["uterus", "uterine", "fibroid", "leiomyoma", "myometrial", "endometrial"]),
    ),
    (("gallbladder", "fundus"), frozenset(["gallbladder", "gb"])),
)
OTHERS = frozenset(["aortic", "iliac", "femoral", "duodenal", "jugular", "portal", "tracheal", "penile"])
TISSUE = frozenset(["SM", "GM"])
NO_SPINE = TISSUE | {"OP", "DMS", "ES"}
HOURS = (
    *(("o", "'", "clock"), ("o", "’", "clock"), ("o", "clock"), ("oclock",), ("o'c",), ("o’c",)),
    *((":", "00"), (":", "30")),
)
EYE, SKIN = frozenset(["OP"]), frozenset(["DMS"])
ONLY_IN = {  # short words that mean something else elsewhere: complement and a vertebra
    **dict.fromkeys(("c3", "c4", "kappa", "lambda", "pni"), TISSUE),
    **dict.fromkeys(("ff", "small ff", "trace ff", "moderate ff"), frozenset(["US", "CT"])),  # a fat fraction
    "satellite": frozenset(["US", "MG"]),
    "oa": frozenset(["CR", "CT", "MR", "US", "PT"]),
    "aml": frozenset(["CT", "MR"]),  # an angiomyolipoma; in an echo the leaflet of a valve
    "icc": frozenset(["CR"]),  # an intercostal catheter; elsewhere a carcinoma of the liver
    "crescent": TISSUE,  # of a glomerulus
    **dict.fromkeys(("ground glass", "groundglass"), frozenset(["CR", "CT", "PT", "MR"])),  # of echoes: none
    **dict.fromkeys(("celiac", "coeliac", "scalloping"), frozenset(["ES", "SM"])),  # an axis, a bone's edge
    **dict.fromkeys(("mas", "rd", "pvd", "csr", "irf", "srf", "nsd", "pcv", "pco", "kps"), EYE),
    **dict.fromkeys(("floater", "pannus", "pucker", "vma", "dril", "pamm", "lattice", "mnv", "bdr"), EYE),
    **dict.fromkeys(("dilated vein", "dilated venule", "engorged vein", "congested vein"), EYE),
    **dict.fromkeys(("ak", "aks", "boil", "burrow", "corn", "clavus", "gangrene"), SKIN),
    **dict.fromkeys(("slough", "maceration", "undermining", "eschar"), SKIN),
    **dict.fromkeys(("ssl", "ssa", "ssp", "encrustation", "trache", "trachy"), frozenset(["ES"])),
    **dict.fromkeys(("fissure", "red spot", "red dot"), frozenset(["ES"])),  # of a lung, of a skin
    "teardrop sign": frozenset(["MR", "US"]),  # of an implant; elsewhere an orbit's
    "avulsion": frozenset(["CR"]),  # of a bone; elsewhere a tendon's
    "tcc": frozenset(["ES", "CT", "MR", "US", "SM"]),
    "granulation": SKIN | {"ES", *TISSUE},
}
GUT = {
    "bulb": ("duodenal", "bulb"),
    "ti": ("terminal", "ileum"),
    "d1": ("duodenal", "bulb"),
    "d2": ("descending", "duodenum"),
    "d3": ("horizontal", "duodenum"),
    **{part: (part, "colon") for part in ("ascending", "transverse", "descending")},
}
CAPITALS = frozenset(["pie"])  # words of their own in small letters
TREATMENTS = frozenset(
    [
        *("wle", "slnb", "alnd", "chemo", "chemotherapy", "surgery", "excision", "lumpectomy", "mastectomy"),
        *("resection", "adjuvant", "received", "post"),
    ]
)
# The "ICD" of a pleura is an intercostal drain, that of a heart a defibrillator.
PLEURAL = frozenset(
    [
        *("pneumothorax", "hydropneumothorax", "hemopneumothorax", "effusion", "hemothorax", "empyema"),
        *("drain", "drained", "intercostal", "pleural", "tip", "basal", "apical", "both", "bilateral"),
        *("collection", "expanded", "reexpanded", "lung"),
    ]
)
CARDIAC = frozenset(
    [
        *("lead", "generator", "pacemaker", "pacer", "ventricle", "ventricular", "atrial", "atrium", "dual"),
        *("single", "chamber", "biventricular", "cardiac", "heart", "cardiomegaly", "implanted", "placement"),
        *("implantation", "wire", "pocket", "battery", "pectoral", "wall", "subcutaneous", "aicd", "crt"),
    ]
)
NIL = frozenset(["no", "without", "nil"])
LEFT = frozenset(["residual", "recurrent", "persisting"])  # "no residual pneumothorax": there was one
BEHIND = (".", ",", ";", ":", "-", "and")  # a statement may begin


def of_modality(
    tokens: Sequence[Token], norms: Sequence[str], at: int, modality: str | None
) -> tuple[str, ...]:
    """The words by which the lexicon knows the place that the word at index ``at`` names; () for none.

    "RE:" and "LE:" are headings in any report; of a fundus photograph they also begin or end a
    statement. The fundus of an endoscopy is the stomach's, that of an ultrasound the womb's or gallbladder's
    that is told beside it: no eye's. The bulb and the bifurcation of an ultrasound are the carotid artery's
    unless another vessel is named before them.
    """
    norm = norms[at]
    if norm in EYES and tokens[at].raw.isupper():
        after = tuple(norms[at + 1 : at + 2])
        edge = at == 0 or norms[at - 1] in BEHIND or after in ((), (".",), (",",), (";",))
        headed = after == (":",) and (norm != "be" or modality == "OP")
        return EYES[norm] if headed or (norm != "be" and modality == "OP" and edge) else ()
    if norm == "aml" and modality == "US":
        return "anterior", "mitral", "leaflet"
    if norm in NECK and modality == "US" and not (at and norms[at - 1] in OTHERS):
        return NECK[norm]
    if norm in ("fundus", "fundal") and modality in ("US", "MR"):
        return next((organ for organ, told in FUNDI if told & {*norms}), ())
    if norm in GUT and modality == "ES":  # "Transverse: a polyp", "an ulcer in D1"
        ends = tuple(norms[at + 1 : at + 2]) in ((), *((mark,) for mark in BEHIND), (",",))
        return GUT[norm] if ends or len(norm) < 5 else ()
    if norm == "body" and modality == "ES" and _is_of_stomach(norms, at):
        return "gastric", norm
    if norm != "fundus" or modality != "ES":
        return ()
    return next((organ for organ, told in FUNDI if told & {*norms}), ("gastric", norm))


def is_radiotherapy(tokens: Sequence[Token], norms: Sequence[str], at: int) -> bool:
    """True for the "RT" of "lumpectomy, SLNB and RT.": no side. It stands behind another treatment, and ends
    what is told."""
    ends = at + 1 == len(norms) or norms[at + 1] in (".", ",", ";", ")", "in")
    ends = ends or (tokens[at].raw == "RT" and tokens[at + 1].raw.istitle())  # "RT. Asymptomatic"
    joined = at > 0 and norms[at - 1] in ("and", "+", "&", "/", ",", "post", "adjuvant", "received", "plus")
    treated = bool(TREATMENTS & {*norms[max(0, at - 5) : at]})
    return norms[at] == "rt" and ends and joined and treated


def _is_of_stomach(norms: Sequence[str], at: int) -> bool:
    """True for the body of "BODY - erosions" and of "erosions in the body": not "of the pancreas", not
    "foreign body"."""
    heads = at == 0 and norms[1:2] != () and norms[1] in (":", "-")
    led = at > 0 and norms[at - 1] in ("the", "mid", "upper", "lower", "proximal", "distal")
    return heads or (led and norms[at + 1 : at + 2] != ("of",))


def is_drain(norms: Sequence[str], at: int) -> bool:
    """True for the "ICD" at a word that is a drain: "Lt ICD in situ, no residual pneumothorax", "right ICD in
    situ". Where nothing tells, and wherever a heart or a lead is spoken of, it is a defibrillator."""
    if CARDIAC & {*norms}:
        return False
    told = (i for i, norm in enumerate(norms) if norm in PLEURAL)
    pleural = any(LEFT & {*norms[:i]} or not NIL & {*norms[max(0, i - 4) : i]} for i in told)
    on_right = bool({"right", "rt"} & {*norms[max(0, at - 2) : at]})
    return pleural or (on_right and tuple(norms[at + 1 : at + 3]) == ("in", "situ"))


def means_other(norms: tuple[str, ...], modality: str | None, written: Collection[str] = ()) -> bool:
    """True for words that name a finding in another kind of image only: the "C3" of a spine is a vertebra,
    that of a kidney under the microscope complement; only in a fundus photograph are "dilated veins" the
    retina's. And for a "pie" that is not ``written`` in capitals."""
    said = " ".join(norms)
    small = said in CAPITALS and not all(map(str.isupper, written))
    asked = modality is None and said in concepts()  # by its very name, of a picture of some kind
    return small or (said in ONLY_IN and modality not in ONLY_IN[said] and not asked)

"""Names that mean something else beside some words: the cavity of a womb, the collapse of a vein, the density
of bone, and in a slide the title under which something is told."""

from collections.abc import Sequence

from medsegr.report.anew import DENIERS
from medsegr.report.lexicon import Concept, Descriptor, paired
from medsegr.report.match import Hit, Words, find_places

HOLLOW = frozenset(  # whose cavity is no hole in a lung
    [
        *("oral", "nasal", "buccal", "sinonasal", "orbital", "cranial", "thoracic", "chest", "pleural"),
        *("peritoneal", "abdominal", "abdominopelvic", "pelvic", "uterine", "endometrial", "endocervical"),
        *("amniotic", "joint", "synovial", "articular", "glenoid", "marrow", "medullary", "tympanic"),
        *("mesotympanic", "vitreous", "pulp", "dental", "ventricular", "atrial", "lv", "rv", "la", "ra"),
        *("ventricle", "atrium", "scrotal", "middle-ear", "ear", "nasopharyngeal", "visceral", "normal"),
        *("intraperitoneal", "intramedullary", "intracranial", "pericardial", "gestational", "body"),
        *("cotyloid", "acetabular"),
    ]
)
EXTENT = frozenset(["size", "volume", "dimension", "diameter", "area"])
CHAMBERS = frozenset(["lv", "rv", "ventricle", "ventricular", "atrium", "atrial", "chamber"])
YIELDING = frozenset(  # what collapses beside a lung, and when
    [
        *("ivc", "cava", "caval", "vein", "venous", "jugular", "inspiratory", "inspiration", "respiratory"),
        *("sniff", "sniffing", "diastolic", "systolic", "ventricle", "ventricular", "atrium", "atrial", "rv"),
        *("ra", "bladder", "gallbladder", "bowel", "stomach", "colon", "cyst", "femoral", "humeral"),
        *("subchondral", "articular", "lunate", "scaphoid", "carpal", "arch", "midfoot", "talar", "disc"),
        *("valve", "nostril", "pharyngeal", "oropharyngeal", "balloon", "sac", "graft", "stent", "implant"),
    ]
)
LUNG = frozenset(
    [
        *(
            "lung",
            "lobe",
            "lobar",
            "pulmonary",
            "lingula",
            "lingular",
            "basal",
            "base",
            "bibasal",
            "bibasilar",
        ),
        *("hemithorax", "consolidation", "atelectasis", "atelectatic", "effusion", "pneumothorax", "rul"),
        *("rml", "rll", "lul", "lll", "segmental", "subsegmental", "retrocardiac", "airspace", "zone"),
    ]
)
MEASURED = frozenset(  # of which a density is a property
    ["bone", "bony", "mineral", "osseous", "marrow", "skeletal", "normal", "proton", "optical", "capillary"]
) | {"echo", "parenchymal", "overall", "symmetrical", "homogeneous", "uniform", "vessel", "cell"}
SUBSTANCES = frozenset(["csf", "fluid", "water", "fat", "fatty", "blood", "differing", "varying"])
SUBSTANCES |= {"different", "variable"}  # "collections of differing density, of CSF density on the left"
RENAL = frozenset(
    ["kidney", "renal", "pole", "interpolar", "cortex", "cortical", "fat", "fatty", "macroscopic"]
)
MEASURES = (("density",), ("lucency",), ("attenuation",), ("opacity",))  # that all tissue has
HELD = frozenset(["normal", "preserved", "maintained", "symmetric", "symmetrical", "homogeneous", "uniform"])
HELD |= {"reduced", "decreased", "unremarkable", "appropriate", "satisfactory"}
BEING = frozenset(["is", "are", "was", "were", "remains", "remain", "appears", "appear"])
OWNERS = frozenset(["bone", "bony", "liver", "spleen", "breast", "marrow", "skeleton", "parenchyma", "brain"])
STRUCTURES = frozenset(  # of healthy tissue
    [
        *("membrane", "basement membrane", "renal tubule", "glomerulus", "gland", "epithelium", "stroma"),
        *("smooth muscle", "vessel", "chorionic villi", "collagen", "adipose tissue"),
        *("nerve bundle", "hair follicle", "cytoplasm", "spinal cord", "placenta"),
    ]
)
CAPITALS = frozenset(["as", "ar", "ai", "ms", "mr", "tr", "pr", "nec"])  # of a valve, of a bowel
GRADED = frozenset(["no", "nil", "or", "and", "/", ",", ":", "+", "(", "&", "with", "query", "without"])
IMAGING = frozenset(
    [
        *("ct", "imaging", "scan", "correlation", "correlate", "guided", "biopsy", "recommended", "er"),
        *("her2", "mri", "mammography", "further", "angiography", "brain", "plaque", "advised"),
    ]
)
HEART = frozenset(["valve", "aortic", "mitral", "tricuspid", "lv", "rv", "ef", "ventricle", "ventricular"])
TAKEN = frozenset(["biopsy", "biopsies", "excision", "specimen", "fna", "resection", "sample"])
TAKEN |= {"punch", "shave", "curettage", "ellipse", "core", "cores"}
PARTED = TAKEN | {",", ":", "core"}  # behind the organ with which the title of a slide begins
FAT = (("infiltration",), ("change",), ("replacement",), ("degeneration",))
NO_LIVER = frozenset(  # whose fat is none of the liver
    [
        *(
            "pancrea",
            "pancreatic",
            "muscle",
            "marrow",
            "filum",
            "gland",
            "parotid",
            "thymus",
            "node",
            "septum",
            "sinus",
        ),
        *("ventricle", "ventricular", "rv", "lv", "myocardium", "wall", "bowel", "ileum", "submucosa"),
        *("nerve", "tumor", "mass", "lesion", "hilum", "kidney", "breast", "spinal", "cord", "vertebra"),
    ]
)
BREAST = frozenset(
    ["breast", "parenchyma", "parenchymal", "fibroglandular", "glandular", "tissue", "quadrant"]
)
IN_BREAST = (("asymmetry",), ("distortion",))
ORGANS = frozenset(
    ["renal", "hepatic", "splenic", "nasal", "mesenteric", "mucosal", "conjunctival", "pelvic"]
)
HELD_BY = frozenset(["mesentery", "liver", "kidney", "spleen", "pelvi", "testis", "ovary", "bowel", "mucosa"])
NEAR = 8  # words before a collapse in which it is looked for what collapses
SAMPLED = frozenset(["biopsy", "biopsied", "bx", "fna", "fnac", "core", "cores", "vab", "aspirated"])
SAMPLED |= {"sampled", "placed", "deployed", "sited", "inserted", "marker", "clip", "marked"}
LED = frozenset(["of", "in", "at", "from", "within", "into"])


def other_sense(hit: Hit[Concept], hits: Sequence[Hit[Concept]], words: Words, modality: str | None) -> bool:
    """True for a name that means nothing to be drawn where it stands."""
    said = words.norms[hit.first : hit.last]
    if said[-1] in CAPITALS:
        return not _is_short_name(hit, words, modality)
    if said == ("cavity",):
        return _is_of_body(hit, words.norms, modality)
    if said in (("collapse",), ("collapsed",)):
        near = {*words.norms[max(0, hit.first - NEAR) : hit.last + 5]}
        return bool(YIELDING & near) and not LUNG & near
    if hit.value.name == "hepatic steatosis" and said[-1:] in FAT:
        behind = words.norms[hit.last : hit.last + 5]
        return behind[:1] == ("of",) and bool(NO_LIVER & {*behind}) and "liver" not in behind
    if _is_elsewhere(said, hit, words.norms):
        return True
    if said in MEASURES:
        return _is_property(said, hit, words.norms)
    if SAMPLED & {*words.norms[: hit.first]} and _is_sampled(hit, words.norms):
        return True
    return modality in ("SM", "GM") and (said == ("cord",) or _is_heading(hit, hits, words.norms))


def of_picture(
    describing: Sequence[Hit[Descriptor]], words: Words, asked: bool
) -> tuple[Hit[Descriptor], ...]:
    """The describing words of a slide without the side of an organ that it was cut from: "biopsy of the right
    breast", "Left breast, core biopsy" is no half of the picture."""
    if asked:
        return tuple(describing)
    norms = words.norms
    taken = next((i for i, norm in enumerate(norms) if norm in TAKEN), len(norms))
    found = find_places(words, None)
    begun = {p.first for p in found if p.value.of or p.value.name in paired()}
    titled = {p.first for p in found if {p.value.of, p.value.name} & paired() and p.value.of != "lung"}
    return tuple(
        d
        for d in describing
        if d.value.field != "side"
        or not (
            (d.first >= taken and d.last in begun)
            or (d.first == 0 and d.last in titled and PARTED & {*norms[d.last + 1 : d.last + 3]})
            or (d.last in begun and TAKEN & {*norms[d.last + 1 : d.last + 5]})
        )
    )


def _is_short_name(hit: Hit[Concept], words: Words, modality: str | None) -> bool:
    """True for the "AS" of an echo, a stenosis in capitals behind a degree, a denial or in a list: no "as",
    no way of imaging ("correlation with MR"), no multiple sclerosis."""
    raw, norms = words.tokens[hit.last - 1].raw, words.norms
    if not raw.isupper() or (norms[hit.last - 1] == "nec" and modality not in ("CR", "US", "CT")):
        return False
    if norms[hit.last - 1] == "nec":
        return True
    graded = hit.last - hit.first > 1
    led = hit.first == 0 or norms[hit.first - 1] in GRADED
    bare = led and not IMAGING & {*norms} and norms[hit.last : hit.last + 1] != ("-",)
    behind = norms[hit.last : hit.last + 1]
    numbered = behind != () and behind[0][0].isdigit()
    if behind in (("compared",), ("well",), ("described",), ("above",), ("before",), ("noted",), ("seen",)):
        return False  # "SEVERE AS COMPARED TO PRIOR"
    shouted = words.text[words.tokens[0].start : words.tokens[-1].end].isupper()
    if modality != "US":
        heart = norms[hit.last - 1] != "ms" or bool(HEART & {*norms})
        return graded and modality in ("MR", "CT") and heart
    return graded or (bare and not numbered and not (shouted and norms[hit.last - 1] == "as"))


def _is_sampled(hit: Hit[Concept], norms: Sequence[str]) -> bool:
    """True for what has been told of before it was sampled or marked: "core biopsy x3 of the index lesion and
    x2 of the node"."""
    led = [norm for norm in norms[max(0, hit.first - 4) : hit.first] if norm != "index"]
    counted = led[-3:-2] != [] and led[-3].lstrip("x").isdecimal()
    joined = led[-1:] == ["the"] and {*led[-2:-1]} <= LED and led[-2:-1] != []
    return joined and (counted or norms[hit.first - 1] == "index")


def _is_of_body(hit: Hit[Concept], norms: Sequence[str], modality: str | None) -> bool:
    """True for the cavity of the mouth, of a womb, of a heart chamber ("normal cavity size")."""
    before, behind = {*norms[max(0, hit.first - 1) : hit.first]}, {*norms[hit.last : hit.last + 1]}
    listed = norms[hit.last : hit.last + 2]  # "the oral cavity and nasal cavity"
    of_heart = modality in ("US", "MR") and bool(CHAMBERS & {*norms})
    return bool(HOLLOW & before or EXTENT & behind or of_heart or HOLLOW & {*listed[1:]})


def _is_elsewhere(said: Sequence[str], hit: Hit[Concept], norms: Sequence[str]) -> bool:
    """True for a bare name that the lexicon has of one organ and that is told of another: the asymmetry
    of the ventricles is none of a breast."""
    before = {*norms[max(0, hit.first - 2) : hit.first]}
    behind = norms[hit.last : hit.last + 4]
    if said in IN_BREAST:
        return behind[:1] == ("of",) and not BREAST & {*behind}
    if said == ("aml",):
        return not RENAL & {*norms}  # a leukaemia
    if said in (("congestion",), ("edema",)):
        return bool(ORGANS & before) or (behind[:1] == ("of",) and bool(HELD_BY & {*behind}))
    return False


def _is_property(said: Sequence[str], hit: Hit[Concept], norms: Sequence[str]) -> bool:
    """True for the density of "bone density", "density is normal", "the density of the liver", "normal size
    and density"; not of "a density of the left lung"."""
    led = norms[max(0, hit.first - 3) : hit.first]
    if tuple(led[-1:]) == ("normal",) or (*led[-3:-2], *led[-1:]) == ("normal", "and"):
        return True
    if said != ("density",):
        return False
    before = norms[hit.first - 1] if hit.first else ""
    behind = [norm for norm in norms[hit.last : hit.last + 4] if norm not in BEING]
    owned = behind[:1] == ["of"] and bool(OWNERS & {*behind[1:3]}) and before in ("", "the", "normal", ".")
    usual = behind[:2] == ["within", "normal"]
    return before in MEASURED | SUBSTANCES or owned or usual or bool(HELD & {*behind[:1]})


def _is_heading(hit: Hit[Concept], hits: Sequence[Hit[Concept]], norms: Sequence[str]) -> bool:
    """True for the membranes of "Membranes: acute chorioamnionitis": under them something else is told."""
    titles = hit.first == 0 and norms[hit.last : hit.last + 1] == (":",)
    told = any(h.first > hit.last and h.value.kind == "finding" for h in hits)
    return titles and hit.value.name in STRUCTURES and (told or bool(DENIERS & {*norms[hit.last :]}))

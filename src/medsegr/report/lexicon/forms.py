"""Words as they are compared: normal forms, and the phrases that a pattern of the lexicon stands for."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import product
from types import MappingProxyType

_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][a-z]+)?\d*|[^\w\s-]")
_CHOICE = re.compile(r"\{([^{}]*)\}")
SPELLING: tuple[tuple[str, str], ...] = (
    ("haem", "hem"),
    ("oedema", "edema"),
    ("tumour", "tumor"),
    ("centre", "center"),
    ("grey", "gray"),
    ("colour", "color"),
    ("oesoph", "esoph"),
    ("caec", "cec"),
    ("fibre", "fiber"),
    ("foetal", "fetal"),
    ("anaem", "anem"),
    ("ischaem", "ischem"),
    ("disk", "disc"),
    ("gynaec", "gynec"),
    ("calibre", "caliber"),
    ("foetus", "fetus"),
    ("artefact", "artifact"),
    ("isation", "ization"),
    ("lised", "lized"),
    ("nised", "nized"),
    ("lising", "lizing"),
    ("nising", "nizing"),
    ("tising", "tizing"),
    ("raemi", "remi"),
    ("leucocyt", "leukocyt"),
    ("leucomal", "leukomal"),
    ("rrhoea", "rrhea"),
    ("pnoea", "pnea"),
    ("remodell", "remodel"),
    ("funnell", "funnel"),
    ("labelled", "labeled"),
)
IRREGULAR = MappingProxyType(
    {
        "nuclei": "nucleus",
        "metastases": "metastasis",
        "bullae": "bulla",
        "diverticula": "diverticulum",
        "foci": "focus",
        "vertebrae": "vertebra",
        "hila": "hilum",
        "apices": "apex",
        "atria": "atrium",
        "calculi": "calculus",
        "thrombi": "thrombus",
        "emboli": "embolus",
        "bronchi": "bronchus",
        "papillae": "papilla",
        "septa": "septum",
        "stenoses": "stenosis",
        "atelectases": "atelectasis",
        "ribs": "rib",
        "lens": "lens",
        "pleurae": "pleura",
        "hippocampi": "hippocampus",
        "fibroses": "fibrosis",
        "necroses": "necrosis",
        "hydroceles": "hydrocele",
        "halves": "half",
        "striae": "stria",
        "ganglia": "ganglion",
        "gyri": "gyrus",
        "sulci": "sulcus",
        "fundi": "fundus",
        "uteri": "uterus",
        "ostia": "ostium",
        "adenomata": "adenoma",
        "femora": "femur",
        "scapulae": "scapula",
        "naevi": "nevus",
        "nevi": "nevus",
        "naevus": "nevus",
        "sinuses": "sinus",
        "uteruses": "uterus",
        "plexuses": "plexus",
        "hiatuses": "hiatus",
        "calluses": "callus",
        "meatuses": "meatus",
        "cortices": "cortex",
        "cervices": "cervix",
        "appendices": "appendix",
        "helices": "helix",
        "bursae": "bursa",
        "conchae": "concha",
        "choanae": "choana",
        "fossae": "fossa",
        "laminae": "lamina",
        "axillae": "axilla",
        "tibiae": "tibia",
        "fibulae": "fibula",
        "maxillae": "maxilla",
        "patellae": "patella",
        "areolae": "areola",
        "ulnae": "ulna",
        "aortae": "aorta",
        "trochleae": "trochlea",
        "fistulae": "fistula",
        "herniae": "hernia",
        "fasciae": "fascia",
        "plicae": "plica",
        "valleculae": "vallecula",
        "ampullae": "ampulla",
        "menisci": "meniscus",
        "humeri": "humerus",
        "radii": "radius",
        "calcanei": "calcaneus",
        "tali": "talus",
        "tophi": "tophus",
        "lacunae": "lacuna",
        "placentae": "placenta",
        "synechiae": "synechia",
        "cisternae": "cisterna",
        "chordae": "chorda",
        "petechiae": "petechia",
        "testes": "testis",
        "epididymides": "epididymis",
        "crura": "crus",
        "foramina": "foramen",
        "lumina": "lumen",
        "acetabula": "acetabulum",
        "ilia": "ilium",
        "sequestra": "sequestrum",
        "pelves": "pelvis",
        "exostoses": "exostosis",
        "anastomoses": "anastomosis",
        "prostheses": "prosthesis",
        "epiphyses": "epiphysis",
        "metaphyses": "metaphysis",
        "diaphyses": "diaphysis",
        "apophyses": "apophysis",
        "symphyses": "symphysis",
        "synostoses": "synostosis",
        "ecchymoses": "ecchymosis",
        "bronchiectases": "bronchiectasis",
        "telangiectases": "telangiectasis",
        "myomata": "myoma",
        "lipomata": "lipoma",
        "fibromata": "fibroma",
        "osteomata": "osteoma",
        "carcinomata": "carcinoma",
        "papillomata": "papilloma",
        "hematomata": "hematoma",
        "less": "less",
        "is": "is",
        "was": "was",
        "has": "has",
        "as": "as",
        "this": "this",
        "its": "its",
        "does": "does",
        "us": "us",
        "series": "series",
        "plus": "plus",
        "thus": "thus",
        "diabetes": "diabetes",
        "previous": "previous",
    }
)


@lru_cache(maxsize=16384)
def normal(word: str) -> str:
    """Normal form of one word: lower case, American spelling, singular. Idempotent for the words of the
    lexicon."""
    low = word.lower().removesuffix("'s").removesuffix("’s")
    for british, american in SPELLING:
        if british in low:
            low = low.replace(british, american)
    if low in IRREGULAR:
        return IRREGULAR[low]
    return _singular(low)


def _singular(low: str) -> str:
    if len(low) <= 3 or not low.endswith("s") or low.endswith(("ss", "us", "is", "ous")):
        return low
    if low.endswith("ies") and len(low) > 4:
        return low[:-3] + "y"
    if low.endswith(("sses", "xes", "ches", "shes")):
        return low[:-2]
    return low[:-1]


def split_words(phrase: str) -> tuple[str, ...]:
    """Normal forms of the words of a phrase of the lexicon; hyphens and underscores divide words."""
    return tuple(map(normal, _WORD.findall(phrase)))


def expand(pattern: str) -> Iterator[str]:
    """All phrases of a pattern with alternatives: ``"no {sign|evidence} of"``; an empty alternative may be
    left out."""
    parts = _CHOICE.split(pattern)
    found = _CHOICE.search(pattern)
    if found and any("{" in part for part in parts):  # a choice within a choice: the inner one first
        for choice in found[1].split("|"):
            yield from expand(pattern[: found.start()] + choice + pattern[found.end() :])
        return
    for chosen in product(*(part.split("|") if i % 2 else (part,) for i, part in enumerate(parts))):
        yield " ".join("".join(chosen).split())


def phrases(patterns: Iterable[str]) -> tuple[str, ...]:
    """All phrases of some patterns, each once."""
    return tuple(dict.fromkeys(phrase for pattern in patterns for phrase in expand(pattern)))

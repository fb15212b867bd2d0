"""Which places and findings may lie in a limb."""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from medsegr.findings import Finding
from medsegr.report import lexicon
from medsegr.report.lexicon import split_words

_ARM = frozenset(
    [
        *("arm", "shoulder", "clavicle", "scapula", "humerus", "elbow", "forearm", "wrist", "hand"),
        *("finger", "thumb", "radius", "ulna", "axilla", "scaphoid", "carpal", "metacarpal"),
        *("supraspinatus", "biceps", "triceps", "acromioclavicular", "glenohumeral", "olecranon"),
    ]
)
_LEG = frozenset(
    [
        *("leg", "hip", "groin", "thigh", "knee", "calf", "shin", "ankle", "foot", "forefoot"),
        *("midfoot", "hindfoot", "heel", "toe", "hallux", "femur", "tibia", "fibula", "patella"),
        *("calcaneus", "calcaneum", "talus", "metatarsal", "hamstring", "quadriceps"),
        *("achille", "buttock"),
    ]
)
PARTS: Mapping[str, str] = MappingProxyType(  # words of a title, in normal form -> limb
    dict.fromkeys(_ARM, "arm") | dict.fromkeys(_LEG, "leg")
)
_WHOLES = frozenset(
    ["arm", "leg", "shoulder", "humerus", "femur", "hip bone", "clavicle", "scapula", "axilla"]
)
_PLACES = frozenset(
    [
        *("acetabulum", "acromioclavicular joint", "acromion", "anterior labrum", "posterior labrum"),
        *("superior labrum", "labrum", "axillary vein", "buttock", "calf vein"),
        *("common femoral artery", "common femoral vein", "coracoid process", "deltoid muscle"),
        *("extensor tendon", "flexor tendon", "femoral neck", "inguinal region", "phalanx"),
        *("popliteal artery", "popliteal vein", "saphenous vein", "gluteal muscle"),
        *("iliopsoas muscle", "pectoral muscle"),
    ]
)
_ANYWHERE = frozenset(
    [
        *("anterior", "posterior", "medial", "lateral", "joint", "tail", "periphery", "isthmus"),
        *("vessel", "subcutis", "dermis", "epidermis", "anterior wall", "posterior wall"),
        *("lateral wall"),
    ]
)
_FIELDS = frozenset(["bones", "skin"])  # of the lexicon: a limb's, unless a name says otherwise
_ELSEWHERE = frozenset(["eye", "heart", "micro", "obstetric"])
GENERAL = frozenset(  # of other fields: a limb's, or told of any part of the body
    [
        *("lesion", "tumour", "metastasis", "cyst", "haemangioma", "abscess", "hernia", "haematoma"),
        *("laceration", "thrombus", "plaque", "stenosis", "joint effusion", "filling defect", "nodule"),
        *("mass", "satellite nodule", "calcification", "calcific density", "scar", "fibrosis"),
        *("thickening", "soft tissue swelling", "subcutaneous emphysema", "fracture"),
        *("clavicle fracture", "dislocation", "degenerative change", "arthritis", "osteopenia"),
        *("lymphadenopathy", "lucency", "bone lesion", "foreign body", "gas locule", "air-fluid level"),
        *("atherosclerosis", "surgical clip", "surgical suture", "implant", "broken device", "stent"),
        *("drainage catheter", "haemorrhage", "schwannoma", "neurofibroma", "enhancing lesion"),
        *("synovial cyst", "epidermoid cyst", "dermoid", "vascular malformation", "fluid collection"),
        *("contrast extravasation", "vascular injury", "phlegmon", "seroma", "arterial occlusion"),
        *("tortuous vessel", "arteriovenous fistula", "superficial thrombophlebitis", "venous reflux"),
        *("varicose veins", "vessel compression", "tumour invasion", "restricted diffusion"),
        *("nodal necrosis", "reactive lymph node", "infection", "tumour recurrence"),
        *("hypervascularity", "flow reversal", "dampened flow", "graft stenosis", "mural thrombus"),
        *("vein wall thickening", "collateral vessels", "trigger finger", "hip effusion"),
        *("paralabral cyst", "feeding vessel", "popliteal artery entrapment", "foreign body granuloma"),
        *("embolus", "necrotising fasciitis", "intimal thickening", "vascular graft"),
        *(
            "comet-tail artefact",
            "necrosis",
            "inflammation",
            "axillary lymph node",
            "nodal cortical thickening",
            "skin thickening",
        ),
        *("fluid level", "solid component", "echogenic halo", "posterior shadowing"),
        *("posterior enhancement", "sebaceous cyst", "dystrophic calcification"),
        *("coarse calcification", "rim calcification", "ulcer", "erosion", "bleeding", "fistula"),
        *("talipes", "polydactyly", "clinodactyly", "osteomyelitis", "avascular necrosis", "lipoma"),
        *("xanthoma", "keloid", "wart", "psoriasis", "vascular skin lesion", "deep vein thrombosis"),
        *("lymphocele", "debris", "inguinal hernia", "femoral hernia", "lymphoma", "sarcoma"),
        *("desmoid tumour", "aneurysm", "pseudoaneurysm", "arterial dissection", "osteochondroma"),
        *("enchondroma", "osteosarcoma", "plasmacytoma", "myeloma", "fibrous dysplasia", "baker cyst"),
        *("ganglion cyst", "morton neuroma", "cam deformity", "periosteal reaction"),
        *("chondrocalcinosis", "calcaneal spur", "plantar fasciitis", "loose body", "cellulitis"),
        *("increased uptake", "signal abnormality", "hip prosthesis", "knee prosthesis"),
        *("intramedullary nail", "guide wire", "kirschner wire", "external fixator", "skin staples"),
        *("rotator cuff tear", "embolisation coil", "rhabdomyosarcoma", "lymphatic malformation"),
        *("infantile haemangioma", "growth arrest line", "blount disease", "scurvy", "echogenic focus"),
        *("humeral head migration", "os acromiale", "median nerve swelling", "nerve thickening"),
    ]
)
_TISSUES = frozenset(  # words of names, in any field
    [
        *("bone", "bony", "marrow", "fracture", "tendon", "tendinopathy", "tenosynovitis", "ligament"),
        *("muscle", "muscular", "meniscal", "meniscus", "cartilage", "chondral", "labral", "synovitis"),
        *("synovial", "bursitis", "joint", "capsulitis", "enthesopathy", "myositis", "fasciitis"),
    ]
)
_TRUNK = frozenset(  # words of names that no place of the lexicon tells
    [
        *("spinal", "vertebra", "vertebral", "disc", "epidural", "facet", "spinous", "thecal", "nerve"),
        *("cauda", "lordosis", "pannus", "interspinous", "uncovertebral", "syndesmophyte", "pelvic"),
        *("pubis", "pubic", "orbital", "facial", "sternal", "nasal", "craniotomy", "endplate"),
        *(
            "atlantoaxial",
            "chordoma",
            "pseudosubluxation",
            "compression",
            "psoas",
            "penile",
            "wormian",
            "cooper",
            "sacroiliac",
            "costochondral",
        ),
        *("calvarial", "temporal"),
    ]
)


def of_limb(place: str) -> bool | None:
    """Whether a named place is part of a limb; None for words of place that may be anywhere ("medial").
    A side before the name ("right shoulder") does not count."""
    name = _unsided(place)
    if name in _ANYWHERE:
        return None
    return name in _PLACES or name in _WHOLES or _whole(name) in _WHOLES


def is_far(place: str) -> bool:
    """Whether a named place is part of an arm or leg away from the trunk, of which pictures mostly show one:
    a knee, not a hip."""
    name = _unsided(place)
    return bool({name, _whole(name)} & {"arm", "leg"})


def _unsided(place: str) -> str:
    return place.removeprefix("left ").removeprefix("right ")


@cache
def _wholes() -> Mapping[str, str]:
    return MappingProxyType({place.name: place.of for place in lexicon.places().values()})


def _whole(name: str) -> str:
    return _wholes().get(name, "")


def may_lie_in_limb(finding: Finding) -> bool:
    """Whether a finding of an examination of a limb lies in that: by its places, where it tells any, else by
    what it is. A "nodule" may, "pneumonia" and what is told of the lung may not."""
    concept = lexicon.concepts().get(finding.name)
    if concept is None or concept.kind not in ("finding", "device"):
        return False
    told = {of_limb(place) for place in finding.location.anatomy} - {None}
    return True in told if told else _by_name(concept.name)


@cache
def _by_name(name: str) -> bool:
    concept = lexicon.concepts()[name]
    if name in GENERAL:
        return True
    if _names_trunk(name):
        return False
    if any(rule.name == name and any(of_limb(place) for place in rule.places) for rule in lexicon.refines()):
        return True
    return concept.field in _FIELDS or (
        concept.field not in _ELSEWHERE and bool(_TISSUES & {*split_words(name)})
    )


def _names_trunk(name: str) -> bool:
    """True for a name with a part of the trunk or the head in it: "pelvic fracture", "liver abscess"."""
    words = split_words(name)
    runs = [words[i : i + n] for i in range(len(words)) for n in (1, 2, 3) if i + n <= len(words)]
    places = [lexicon.places()[run] for run in runs if run in lexicon.places()]
    return bool(_TRUNK & {*words}) or any(of_limb(place.name) is False for place in places)

"""Sentences of another language: their denials are unknown here, so nothing of them may be read.

"Kein Pneumothorax" holds a word of the lexicon and none of its cues, and would be a pneumothorax that is
there. A sentence is told by its little words, of which most sentences have some, a report also by the names
of its sections; names of findings are much the same in many languages and say nothing.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

from medsegr.findings import Span

# Words that are also English, Latin or an abbreviation of reports (on, die, op, um, av, le) are left out, and
# so are the parts of names (van, de, la, der).
_DENIALS = """
kein keine keinen keinem keiner keinerlei ohne nicht hinweis nachweis aucun aucune ningún ningun ninguna
nenhum nenhuma nessun nessuna nessuno senza geen zonder niet ingen inget inga ikke utan uden
"""
_SMALL = """
das und ist sind wird werden mit vom zum zur bei auf nach eine einer einen einem ein sowie
rechts links rechten linken rechte linke rechter linker beidseits
les du une est sont avec dans sur aux pas sans gauche droit droite
los las una es con por observa aprecia izquierdo izquierda derecho derecha hay
uma não com sem esquerdo esquerda direito direita há
il lo gli della nel nella sono è destro destra sinistro sinistra
het een zijn och är på vänster höger og venstre højre høyre til
"""
_ENGLISH = """
the a an is are was were has have been of in on at with without no not and or there this that these to
from by for seen noted shows show showing within which may be as left right both bilateral upper lower
"""
DENIALS, SMALL, ENGLISH = (frozenset(words.split()) for words in (_DENIALS, _SMALL, _ENGLISH))
OPENINGS = frozenset(
    [("pas", "de"), ("pas", "d"), ("sin",), ("sem",), ("ej",), ("no", "hay"), ("no", "se"), ("non", "si")]
)
PAIRS = frozenset((a, b) for a in ("en", "et", "y", "con", "avec", "sur", "sous") for b in ("la", "le", "el"))
SHARE = 3  # the text is foreign where every third sentence is, and its little words are; the terse ones too
LAST_LATIN = "\u024f"
_HEADINGS = re.compile(  # of the sections of a report; those that are English, too, are left out
    r"(?:^|(?<=[.\n])[ \t]*)(?:befund|beurteilung|fragestellung|indikation|hallazgos?|impresión|técnica|"
    r"r[eé]sultat[se]?|renseignements cliniques|referto|reperti|conclusioni|bevindingen|verslag|conclusie|"
    r"achados|laudo|impressão|conclusão|conclusión|fynd|utlåtande|beskrivelse|konklusjon|konklusion|opis|"
    r"wnioski|nález|závěr)[ \t]*:",
    re.IGNORECASE | re.MULTILINE,
)
_WORD = re.compile(r"[^\W\d_]+")


def foreign(text: str, sentences: Sequence[Span]) -> frozenset[int]:
    """Which of the sentences are of another language, by their place in the list."""
    counts = [_counts(_WORD.findall(text[start:stop].lower())) for start, stop in sentences]
    found = frozenset(i for i, (theirs, ours, sure) in enumerate(counts) if theirs > ours and sure)
    headed = len(_HEADINGS.findall(text))
    theirs, ours = sum(c[0] for c in counts) + 2 * headed, sum(c[1] for c in counts)
    if theirs > ours and (headed or SHARE * len(found) >= len(counts)):
        return frozenset(range(len(counts)))
    return found


def _counts(words: Sequence[str]) -> tuple[int, int, bool]:
    """Little words of other languages and of English, and whether the former are enough to tell."""
    ours = sum(word in ENGLISH for word in words)
    denied = sum(word in DENIALS for word in words) + (
        OPENINGS & {tuple(words[:1]), tuple(words[:2])} != set()
    )
    small = sum(word in SMALL for word in words) + 2 * sum(pair in PAIRS for pair in pairwise(words))
    script = sum(word[0] > LAST_LATIN for word in words)
    if 2 * script > len(words):  # of another script altogether, but for what is quoted
        return script, ours, len(words) > 2
    return denied + small, 0 if OPENINGS & {tuple(words[:2])} else ours, denied > 0 or small > 1

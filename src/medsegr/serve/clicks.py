"""What a session is asked and what it answers, as pydantic models."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints, model_validator

from medsegr.prompts.door import MOST_BOXES, MOST_POINTS
from medsegr.prompts.runs import mask_of
from medsegr.serve.wire import Id, Wire

Number = Annotated[float, Field(allow_inf_nan=False, ge=-1e6, le=1e6)]
Count = Annotated[int, Field(ge=0, le=2**40)]
Slice = Annotated[int, Field(ge=0, le=2**31)]
Point = tuple[Number, Number, Literal[0, 1]]
Box = tuple[Number, Number, Number, Number]
FindingId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Layer = Annotated[
    str,
    StringConstraints(
        pattern=r"^(image|[A-Za-z0-9][A-Za-z0-9_-]{0,63}(\.free|\.map|\.candidate-[0-9])?)$", max_length=80
    ),
]


class SessionRequest(Wire):
    """What a session begins with: an image, or the result of a job that is done."""

    image: Id | None = None
    job: Id | None = None

    @model_validator(mode="after")
    def _one(self) -> "SessionRequest":
        if (self.image is None) == (self.job is None):
            raise ValueError("give image or job, one of them")
        return self


class Runs(Wire):
    """A plane as run lengths: rows one after the other, the first run of zeros."""

    size: tuple[Count, Count] = Field(description="Height and width.")
    counts: list[Count] = Field(max_length=4_000_000)


class Clicks(Wire):
    """Points, boxes, a mask: in pixels of the picture, or of slice ``slice``, as stored."""

    points: list[Point] | None = Field(
        None, max_length=MOST_POINTS, description="x, y, and 1 inside or 0 outside."
    )
    box: Box | None = Field(None, description="x0, y0, x1, y1, upper edge exclusive.")
    boxes: list[Box] | None = Field(None, max_length=MOST_BOXES, description="One for each piece.")
    mask: Runs | None = Field(None, description="A mask to start from.")
    slice: Slice | None = Field(None, description="Of a volume: counted along the axis that is cut across.")

    @property
    def prompts(self) -> dict[str, Any]:
        """As the session takes them."""
        box = self.boxes if self.boxes is not None else self.box
        mask = None if self.mask is None else mask_of(self.mask.model_dump())
        return {"points": self.points, "box": box, "mask": mask, "slice": self.slice}


class Draw(Clicks):
    """A further finding out of clicks, with a phrase or without a word."""

    phrase: Annotated[str, StringConstraints(max_length=10_000)] = ""


class Click(Clicks):
    """One finding drawn again."""

    finding: FindingId | None = None


class Paint(Wire):
    """One plane of a finding's mask, exactly as it shall be."""

    finding: FindingId | None = None
    slice: Slice | None = None
    rle: Runs


class FindingName(Wire):
    """Which finding is meant; it may be left out where only one could be."""

    finding: FindingId | None = None


class Choice(FindingName):
    """One of the answers that ``candidates`` gave, by its number or by its ``how``."""

    number: Annotated[int, Field(ge=0, le=9)] | None = None
    how: Annotated[str, StringConstraints(max_length=40)] | None = None

    @model_validator(mode="after")
    def _one(self) -> "Choice":
        if (self.number is None) == (self.how is None):
            raise ValueError("give number or how, one of them")
        return self

    @property
    def which(self) -> int | str:
        """As the session takes it."""
        return self.number if self.number is not None else self.how or ""


class Offer(BaseModel):
    """Another answer to the newest prompts. ``how`` is its name, unique among the answers and stable:
    "words and prompts", "prompts alone", "words alone", "again", "piece", "tighter", "looser", "largest
    part". ``followed``: share of the clicks that the answer kept to by itself; ``score``: the model's guess
    of its overlap, null where the answer is made of the mask."""

    finding: str
    number: int
    slice: int | None
    how: str
    score: float | None
    followed: float
    pixels: int
    layer: str


class SessionInfo(BaseModel):
    """Where a session stands; ``view`` is what the page draws."""

    id: str
    image: str
    job: str | None
    steps: int
    can_undo: bool
    can_redo: bool
    view: dict[str, Any]
    candidates: list[Offer]
    expires: str

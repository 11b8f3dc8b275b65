"""The requests and answers of the service, as its OpenAPI document describes them.

Captions have the same shape as those of `python -m captioner caption --json`.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field
from pydantic.json_schema import SkipJsonSchema

from captioner.config import VARIANTS
from captioner.data.images import FORMATS, MAXIMUM_BYTES
from captioner.model.blueprint import MOST_SLOTS
from captioner.service.problems import MEDIA_TYPE, Kind

MOST_FILES, MOST_CAPTIONS, LONGEST_WORD = 16, 10, 50
_NAMES = tuple(VARIANTS)
_BEAM = "how many beginnings are followed at once, as many as `top` or more; else what was chosen for the decoders"
_TELL = "words for the word slots, before the CNN's nouns; an empty word leaves the nouns out"
_Width = Annotated[int, Field(ge=1, le=MOST_CAPTIONS)]  # Bounds on an optional type would not reach the OpenAPI document.
_Word = Annotated[str, Field(max_length=LONGEST_WORD)]


class Parameters(BaseModel, extra="forbid"):
    """What may be asked of the captions; a name that is none of these is refused, since nobody would notice otherwise."""

    beam: Annotated[_Width | SkipJsonSchema[None], Field(description=_BEAM)] = None
    top: Annotated[int, Field(ge=1, le=MOST_CAPTIONS, description="up to so many captions of each decoder")] = 1
    variants: Annotated[list[Literal[_NAMES]], Field(description="these decoders only")] = []
    tell: Annotated[list[_Word], Field(max_length=MOST_SLOTS, description=_TELL)] = []


class Caption(BaseModel):
    """One caption; its log-probability is the sum of its words' and of its end's."""

    text: str
    log_probability: float
    words: list[str]
    word_log_probabilities: list[float]
    end_log_probability: float | None = Field(description="null where the caption was cut off at the greatest length")


class SeenWord(BaseModel):
    """A noun in the decoders' word slots."""

    word: str
    probability: float


class Captioned(BaseModel):
    """A photograph with the best captions of each decoder, best first."""

    image: str
    stage: str
    told: list[str] = Field(description="the request's own words for the word slots")
    words_seen: list[SeenWord]
    notes: list[str] = Field(description="which decoder has no vector for a told word")
    captions: dict[str, list[Caption]]


class Refused(BaseModel):
    """A file that is no picture that can be read, and why."""

    image: str
    error: str


class Decoder(BaseModel):
    name: str
    title: str
    explanation: str
    frozen: bool = Field(description="whether its words' vectors were left as they were while it was trained")
    stage: str = Field(description="the stage of training that it went through last")


class Alive(BaseModel):
    alive: bool


class Ready(BaseModel):
    ready: bool
    variants: list[str]


class ProblemAnswer(BaseModel):
    """An error, as RFC 9457 says it."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    files: list[Refused] | None = None


def answers(*kinds: Kind) -> dict[int | str, dict[str, Any]]:
    """The errors that an address may answer."""
    found: dict[int | str, dict[str, Any]] = {}
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemAnswer"}}}
    for status in dict.fromkeys(kind.status for kind in kinds):
        titles = [kind.title for kind in kinds if kind.status == status]
        found[status] = {"description": "; or: ".join(titles), "content": content}
    return found


def upload_form() -> dict[str, Any]:
    """The body of a request for captions, which the service reads itself in order to bound its size."""
    files = {
        "type": "array",
        "minItems": 1,
        "maxItems": MOST_FILES,
        "items": {"type": "string", "format": "binary"},
        "description": f"pictures: {', '.join(FORMATS)}, up to {MAXIMUM_BYTES >> 20} MB each",
    }
    schema = {"type": "object", "properties": {"files": files}, "required": ["files"]}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}

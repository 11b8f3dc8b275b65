"""What the service answers, as its schema tells it; the same shape as `python -m captioner caption --json` prints."""

from typing import Any

from pydantic import BaseModel, Field

from captioner.config import VARIANTS
from captioner.images import FORMATS, MAXIMUM_BYTES
from captioner.service.problems import MEDIA_TYPE, Kind


class Caption(BaseModel):
    """One caption; its log-probability is the sum of its words' and of its end's."""

    text: str
    log_probability: float
    words: list[str]
    word_log_probabilities: list[float]
    end_log_probability: float | None = Field(description="null where the caption was cut off at the greatest length")


class Captioned(BaseModel):
    """A photograph with the best captions of each decoder, best first."""

    image: str
    stage: str
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
    """What an address may answer instead of what it is asked for."""
    found: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        titles = [one.title for one in kinds if one.status == kind.status]
        content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemAnswer"}}}
        found[kind.status] = {"description": "; or: ".join(titles), "content": content}
    return found


def upload_form(most: int) -> dict[str, Any]:
    """The body of a request for captions, which is read by hand so that its size can be held."""
    files = {
        "type": "array",
        "minItems": 1,
        "maxItems": most,
        "items": {"type": "string", "format": "binary"},
        "description": f"pictures: {', '.join(FORMATS)}, up to {MAXIMUM_BYTES >> 20} MB each",
    }
    schema = {"type": "object", "properties": {"files": files}, "required": ["files"]}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


NAMES = tuple(VARIANTS)

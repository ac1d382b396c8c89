"""What every request on stdin has in common: JSON, no unknown keys, one sentence for a fault."""

import json
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from s3.settings import BadRequestError, one_sentence

_T = TypeVar("_T", bound=BaseModel)


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def parse(text: str, form: type[_T]) -> _T:
    """The request in `text`. Raises BadRequestError; values are never repeated: some are secret."""
    try:
        return form.model_validate(json.loads(text))
    except json.JSONDecodeError as error:
        raise BadRequestError(
            f"stdin is no JSON (line {error.lineno}): give one JSON object"
        ) from None
    except ValidationError as error:
        raise BadRequestError(one_sentence(error)) from None  # its text would show the input

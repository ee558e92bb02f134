"""The response body of pictures; the others are in responses.py."""

from pydantic import BaseModel, Field


class Image(BaseModel):
    """A picture, as it is stored."""

    id: str = Field(description="to send in the field `images` of a question")
    name: str = Field(description="the name of the uploaded file; empty where it had none")
    media_type: str
    width: int
    height: int
    size: int = Field(description="bytes")

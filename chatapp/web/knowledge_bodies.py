"""Paths, queries and bodies of requests to /api/knowledge."""

from typing import Literal

from pydantic import Field

from chatapp.identity.names import MOST_NAME_CHARACTERS
from chatapp.knowledge.sharing import MOST_PEOPLE
from chatapp.knowledge.web_pages.address import MAX_CHARACTERS
from chatapp.storage.paging import LONGEST_CURSOR
from chatapp.web.fields import Access, Input, Md5s, Splitting


class BasePath(Input):
    """The id of a knowledge base."""

    base_id: str


class FilePath(BasePath):
    """The ids of a knowledge base and one of its files."""

    file_id: str


class BaseBody(Input):
    """The name and description of a knowledge base, and how its files are split."""

    name: str = Field(min_length=1, max_length=200)
    description: str = Field("", max_length=10_000)
    splitting: Splitting | None = Field(None, description="by default that of CHATAPP_SPLITTING")


class NewBaseQuery(Input):
    """The name of a knowledge base that is created with its first files."""

    name: str = Field(min_length=1, max_length=200)


class NamedPerson(Input):
    """A person by exact name, and what they may do."""

    name: str = Field(min_length=1, max_length=MOST_NAME_CHARACTERS)
    access: Literal["read", "write"]


class BaseChange(Input):
    """The fields of a knowledge base that can be updated; omitted ones are unchanged."""

    name: str | None = Field(None, min_length=1, max_length=200)
    description: str | None = Field(None, max_length=10_000)
    splitting: Splitting | None = None
    access: Access | None = Field(None, description="what everybody may do")
    shared_with: list[NamedPerson] | None = Field(
        None, max_length=MOST_PEOPLE, description="replaces the list of people"
    )


class PageBody(Input):
    """The address of a web page to add."""

    url: str = Field(min_length=1, max_length=MAX_CHARACTERS)


class PageQuery(Input):
    """Which page of the list."""

    after: str | None = Field(None, max_length=LONGEST_CURSOR)
    limit: int = Field(200, ge=1, le=1000)


class SearchBody(Input):
    """What to search for, optionally only in files with these MD5 hashes."""

    query: str = Field(min_length=1, max_length=100_000)
    k: int = Field(5, ge=1, le=50)
    filter_by_file_md5: Md5s | None = None

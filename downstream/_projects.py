"""Whose suites run: the sdists, pinned, and what their tests need."""

from __future__ import annotations

from typing import Final

from ._client_projects import CLIENT_PROJECTS
from ._company_projects import COMPANY_PROJECTS
from ._requests_projects import REQUESTS_PROJECTS
from ._stdlib_projects import STDLIB_PROJECTS
from ._urllib3_projects import URLLIB3_PROJECTS

PROJECTS: Final = (
    *URLLIB3_PROJECTS,
    *REQUESTS_PROJECTS,
    *STDLIB_PROJECTS,
    *CLIENT_PROJECTS,
    *COMPANY_PROJECTS,
)

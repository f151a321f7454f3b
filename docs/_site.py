"""What MkDocs is told beside mkdocs.yml: pages and files outside of docs/.

The repository's links work in the site too: README is its first page, a page of
docs/ lies at the top, and all else that a page links to keeps its path.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

_ROOT: Final = Path(__file__).parents[1]
_DOCS: Final = "docs/"
_README: Final = "README.md"
_INDEX: Final = "index.md"
_LINK: Final = re.compile(r"(?<=\]\()(?![a-z]+:)([^)#\s]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add README, and what pages link to."""
    known = {_in_tree(file.src_uri) for file in files}
    waiting = [_README, *(name for name in known if name.endswith(".md"))]
    while waiting:
        name = waiting.pop()
        if name not in known:
            known.add(name)
            files.append(
                File.generated(config, _in_site(name), abs_src_path=str(_ROOT / name))
            )
        if name.endswith(".md"):
            linked = _LINK.findall((_ROOT / name).read_text("utf-8"))
            found = {_resolve(name, link) for link in linked} - known
            waiting.extend(one for one in found if (_ROOT / one).is_file())
    return files


def on_page_markdown(
    markdown: str, page: Page, config: MkDocsConfig, files: Files
) -> str:
    """Let the links of a page lead to where the site has their targets."""
    del config, files
    here = page.file.src_uri
    folder = posixpath.dirname(here)

    def moved(match: re.Match[str]) -> str:
        target = _in_site(_resolve(_in_tree(here), match[1]))
        return posixpath.relpath(target, folder or ".")

    return _LINK.sub(moved, markdown)


def _resolve(name: str, link: str) -> str:
    """The path, from the root, of what a file links to."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), link))


def _in_site(name: str) -> str:
    """Where the site has a file of the tree."""
    return _INDEX if name == _README else name.removeprefix(_DOCS)


def _in_tree(uri: str) -> str:
    """The file of the tree that the site has there."""
    if uri == _INDEX:
        return _README
    return _DOCS + uri if (_ROOT / _DOCS / uri).exists() else uri

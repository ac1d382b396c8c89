"""Every page is found by who begins at the README, and no link leads nowhere."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# A link's target without its anchor; links to other sites have a scheme.
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def links(page: Path) -> Iterator[Path]:
    """What a page links to, files and folders of this checkout."""
    for target in LINK.findall(page.read_text()):
        if ":" not in target:
            yield (page.parent / target).resolve()


def reached(first: Path) -> set[Path]:
    """The pages that lead on from one; a link to a folder leads to every page in it."""
    found: set[Path] = set()
    todo = [first]
    while todo:
        page = todo.pop()
        if page not in found:
            found.add(page)
            todo += _pages(links(page))
    return found


def _pages(targets: Iterable[Path]) -> Iterator[Path]:
    for target in targets:
        if target.is_dir():
            yield from target.glob("*.md")
        elif target.suffix == ".md" and target.exists():
            yield target


def test_every_page_is_reached_from_the_readme() -> None:
    pages = set((ROOT / "docs").rglob("*.md"))
    assert len(pages) > 20
    lost = pages - reached(ROOT / "README.md")
    assert not lost, f"link them from README.md or from a page: {sorted(map(str, lost))}"


def test_no_link_leads_nowhere() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    broken = [(page.name, to.name) for page in pages for to in links(page) if not to.exists()]
    assert broken == []


def test_a_page_that_nobody_links_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for name, text in {
        "README.md": "[a](a.md#part) [more](folder) [away](https://x.example/lost.md)",
        "a.md": "[b](b.md)", "b.md": "", "folder/in.md": "[up](../a.md)", "lost.md": "",
    }.items():  # fmt: skip
        (tmp_path / name).write_text(text)
    found = {str(one.relative_to(tmp_path)) for one in reached(tmp_path / "README.md")}
    assert found == {"README.md", "a.md", "b.md", "folder/in.md"}

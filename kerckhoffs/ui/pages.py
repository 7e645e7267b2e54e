"""The pages of the app: their files, names and icons. To add one, write its file in pages/ and its line in LISTED.

The main script reads this before anything heavy is imported, so nothing heavy is imported here.
"""

from dataclasses import dataclass
from pathlib import Path

from kerckhoffs import places


@dataclass(frozen=True)
class Page:
    """A page, as the navigation shows it; its address is the file's name, and that of the first page is /."""

    name: str
    title: str
    icon: str

    @property
    def file(self) -> Path:
        """The script that draws it."""
        return places.shipped("pages") / f"{self.name}.py"


LISTED = (
    Page("play", "Play", ":material/swords:"),
    Page("how_it_works", "How it works", ":material/school:"),
    Page("batch", "Batch", ":material/grid_view:"),
    Page("ladder", "Ladder", ":material/stairs:"),
    Page("key_lab", "Key lab", ":material/key:"),
    Page("challenge", "Beat the key", ":material/trophy:"),
    Page("stage", "Stage", ":material/co_present:"),
    Page("table3", "Table 3", ":material/table_chart:"),
    Page("defences", "Defences", ":material/shield:"),
)
MOVED = {"classifiers": "defences"}
"""Addresses that pages had before, and the names of those pages now."""

PAGES = tuple(page for page in LISTED if page.file.exists())

"""Request view: canonical blocks with their spans in the original bytes, one file per API format."""

from tokenpak.core.body.model import Block, Kind, Memo, Text, Unit, Unreadable, View, blocks_of, canonical, chains_of
from tokenpak.core.body.read import Outline, outline, read

__all__ = [
    "Block",
    "Kind",
    "Memo",
    "Outline",
    "Text",
    "Unit",
    "Unreadable",
    "View",
    "blocks_of",
    "canonical",
    "chains_of",
    "outline",
    "read",
]

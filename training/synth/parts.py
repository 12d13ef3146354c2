"""What a pixel belongs to: the part map's numbers, from the roles of pieces."""

from __future__ import annotations

PARTS = (
    "background", "skin", "hair", "cloth", "eyes", "glasses", "hand", "mouth", "accessory", "other",
)  # fmt: skip
"""Number -> name. `accessory` (headphones, what a hand holds) counts as the person, `other` (a microphone on
its stand) does not: it is in the colour picture and in no label."""

OTHER = PARTS.index("other")
_ROLES = {
    "skin": "skin", "hand": "hand", "eye": "eyes", "inside": "mouth", "teeth": "mouth", "tongue": "mouth",
    "hair": "hair", "beard": "hair", "brow": "hair", "lash": "hair", "moustache": "hair",
    "cloth": "cloth", "jacket": "cloth", "hat": "cloth", "scarf": "cloth", "cover": "cloth",
    "collar": "cloth", "tie": "cloth", "hood": "cloth", "cap": "cloth", "glasses": "glasses",
    "lens": "glasses", "mic": "other", "stand": "other",
}  # fmt: skip


def part_of(role: str) -> int:
    """The part's number of a piece's role; what is not listed is an accessory."""
    stem = role.split(":")[0].rstrip("0123456789")
    return PARTS.index(_ROLES.get(stem, "accessory"))

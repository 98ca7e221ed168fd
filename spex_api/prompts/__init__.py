"""Text → Prompt: which parts of a prompt may be masked, and how it reads under each mask."""

from spex_api.prompts.prompt import Prompt, Turn
from spex_api.prompts.segmenters import Segment

__all__ = ["Prompt", "Segment", "Turn"]

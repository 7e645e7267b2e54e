"""Who attacks: what they know decides the model that an example is crafted on."""

from kerckhoffs.attackers.knowledge import KNOWLEDGE, PARTS, Knowledge, check_access, crafted_on, offered

__all__ = ["KNOWLEDGE", "PARTS", "Knowledge", "check_access", "crafted_on", "offered"]

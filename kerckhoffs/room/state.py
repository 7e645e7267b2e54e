"""Where a room is: the scene, and how far its question is. Each step gives a new state, and a step may come twice.

A question is asked, then locked, then revealed, and never goes back; to ask again is another round, with votes of its
own. What comes late, from a window or a phone that has not seen the newest state, changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

Phase = Literal["ask", "locked", "revealed"]
PHASES: tuple[Phase, ...] = get_args(Phase)


@dataclass(frozen=True)
class State:
    """The whole of it but votes, drawings and names.

    Args:
        version: of all that a room holds; it grows with every change.
        phases: of scenes with a question, where they are beyond "ask"; rounds: beyond 0; taken: the drawings that
            scenes show, by scene.
        epsilon: where the speaker has moved it to in this scene.
        calm: whether nothing is computed any more and the screen shows what was computed before.
    """

    version: int = 1
    scene: int = 0
    phases: Mapping[int, Phase] = field(default_factory=dict)
    rounds: Mapping[int, int] = field(default_factory=dict)
    taken: Mapping[int, int] = field(default_factory=dict)
    epsilon: float | None = None
    black: bool = False
    calm: bool = False

    @property
    def phase(self) -> Phase:
        """Of the present scene."""
        return self.phases.get(self.scene, "ask")

    @property
    def round(self) -> int:
        """Of the present scene."""
        return self.rounds.get(self.scene, 0)

    def go(self, scene: int, scenes: int) -> "State":
        """To a scene; the nearest one if there is none."""
        to = min(max(scene, 0), scenes - 1)
        return self if to == self.scene else replace(self, scene=to, epsilon=None, black=False)

    def to_phase(self, scene: int, phase: Phase) -> "State":
        """Lock or reveal; nothing if this is another scene by now, or as far already."""
        if scene != self.scene or PHASES.index(phase) <= PHASES.index(self.phase):
            return self
        return replace(self, phases={**self.phases, scene: phase}, black=False)

    def ask_again(self, scene: int, round_: int) -> "State":
        """Begin the next round of a question, without votes; nothing if this is another one by now."""
        if (scene, round_) != (self.scene, self.round):
            return self
        return replace(
            self, rounds={**self.rounds, scene: round_ + 1}, phases={**self.phases, scene: "ask"}, epsilon=None
        )

    def take(self, scene: int, drawing: int) -> "State":
        """Show a drawing in a scene, and ask about it anew."""
        if scene != self.scene:
            return self
        return replace(self.ask_again(scene, self.round), taken={**self.taken, scene: drawing}, black=False)

"""A room: people with phones who predict, draw and see what comes of it, while a speaker leads through a talk.

It knows no model and no Streamlit: what is to be seen of a scene comes from elsewhere (`Shown`) and is kept here until
the speaker reveals it.
"""

from kerckhoffs.room.registry import Rooms, rooms
from kerckhoffs.room.state import Phase, State
from kerckhoffs.room.store import Room, Shown
from kerckhoffs.room.talk import Question, Scene, Talk

__all__ = ["Phase", "Question", "Room", "Rooms", "Scene", "Shown", "State", "Talk", "rooms"]

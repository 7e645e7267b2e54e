"""kerckhoffs room: opened and closed beside a running app."""

import re

from kerckhoffs.cli import main
from kerckhoffs.room import Rooms
from tests.rooms import TALK


def test_a_room_is_opened_for_a_talk_and_closed(tmp_path, capsys):
    (tmp_path / "talk.toml").write_text(TALK)
    assert main(["room", str(tmp_path / "talk.toml"), "--port", "8777"]) == 0
    said = capsys.readouterr().out
    code, token = re.search(r":8777/room/(\w{6})/stage\?view=presenter#(\S+)", said).groups()
    room = Rooms().find(code)
    assert (room.token, room.talk.title) == (token, "A test")
    room.close()
    assert main(["room", "--close", code]) == 0
    assert Rooms().find(code) is None
    assert main(["room", "--close", code]) == 2
    assert "there is no room" in capsys.readouterr().err


def test_a_file_that_is_no_talk_is_refused(tmp_path, capsys):
    (tmp_path / "talk.toml").write_text("[[scene]]")
    assert main(["room", str(tmp_path / "talk.toml")]) == 2
    assert "show of scene 1" in capsys.readouterr().err
    assert main(["room", str(tmp_path / "none.toml")]) == 2
    assert Rooms().all() == []

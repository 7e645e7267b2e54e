"""What tests of the ladder share."""

from kerckhoffs.ui.models import attackers, card
from kerckhoffs.ui.play.ladder import title


def climb(app, knowledge, defended="mnist-table1-keyed"):
    """Choose a rung of the ladder on a page of Play."""
    entry = card(defended)
    app.selectbox(key="knowledge").set_value(title(knowledge, attackers(entry), entry)).run()
    assert not app.exception
    return app

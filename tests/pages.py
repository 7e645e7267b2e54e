"""What the tests of the pages share: the app as Streamlit runs it, without a browser."""

from pathlib import Path

from streamlit.testing.v1 import AppTest

from kerckhoffs.attacks import ATTACKS
from kerckhoffs.ui.controls import title

ROOT = Path(__file__).parent.parent
SECONDS = 60


def opened(page="app.py", **address):
    """A page of the app, opened at an address."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=SECONDS)
    for name, value in address.items():
        app.query_params[name] = value
    app.run()
    if page != "app.py":
        app.switch_page(page).run()
    assert not app.exception
    return app


def choose_attack(app, attack):
    app.selectbox(key="attack").set_value(title(ATTACKS[attack])).run()
    assert not app.exception


def run_and_wait(app):
    """Press the attack's button and wait for its end."""
    next(button for button in app.button if button.label.startswith("Run")).click().run()
    app.session_state["job"]._future.result(timeout=SECONDS)
    app.run()
    assert not app.exception


def labels(widgets):
    return {each.label for each in widgets}


def words(elements):
    return " ".join(element.value for element in elements)


def html(app):
    return " ".join(element.proto.body for element in app.get("html"))


def verdicts(app):
    return [alert.value for alert in [*app.error, *app.success, *app.warning]]


def address(app):
    """The page's address, a value a name."""
    return {name: value[0] if isinstance(value, list) else value for name, value in app.query_params.items()}

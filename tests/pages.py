"""What the tests of the pages share: the app as Streamlit runs it, without a browser."""

from streamlit.testing.v1 import AppTest

from kerckhoffs.attacks import ATTACKS
from kerckhoffs.ui.controls import title
from kerckhoffs.ui.server import MAIN
from tests import ROOT

SECONDS = 60


def started():
    """The app, before anything is drawn."""
    return AppTest.from_file(MAIN, default_timeout=SECONDS)


def switch(app, page):
    """Go to another page; AppTest wants its file."""
    return app.switch_page(str(ROOT / "pages" / f"{page}.py"))


def opened(page="play", **address):
    """A page of the app, opened at an address."""
    app = started()
    for name, value in address.items():
        app.query_params[name] = value
    app.run()
    if page != "play":
        switch(app, page).run()
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
    """What is said; by an alert, which may quote foreign text, without the marks that make that code."""
    alerts = ("error", "warning", "info", "success")
    return " ".join(each.value.replace("`", "") if each.type in alerts else each.value for each in elements)


def html(app):
    return " ".join(element.proto.body for element in app.get("html"))


def verdicts(app):
    return [alert.value for alert in [*app.error, *app.success, *app.warning]]


def address(app):
    """The page's address, a value a name."""
    return {name: value[0] if isinstance(value, list) else value for name, value in app.query_params.items()}

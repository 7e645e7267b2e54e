"""The description says what the routes do."""

import json
import re

import pytest
from jsonschema import Draft202012Validator

from kerckhoffs.challenge import http, openapi
from kerckhoffs.challenge.wire import ADDRESS, JSON
from tests.challenges import adversarial

SAID = openapi.document(http.CALLS)


def operations():
    return [(path, method, each) for path, found in SAID["paths"].items() for method, each in found.items()]


def test_it_has_every_route_and_no_other():
    routes = {(route.path, method) for route in http.ROUTES[:-1] for method in route.methods - {"HEAD"}}
    assert {(path, method.upper()) for path, method, _ in operations()} == routes
    assert http.ROUTES[-1].path == ADDRESS + "/{rest:path}"


def test_it_is_openapi_as_far_as_this_looks():
    assert SAID["openapi"] == "3.1.0"
    names = [each["operationId"] for _, _, each in operations()]
    assert len(set(names)) == len(names)
    refs = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(SAID)))
    assert refs <= set(SAID["components"]["schemas"])
    for schema in SAID["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    for path, _, each in operations():
        named = {one["name"] for one in each.get("parameters", ()) if one["in"] == "path"}
        assert named == set(re.findall(r"{(\w+)}", path))
        assert each["summary"].endswith(".")
        assert set(each.get("security", [{}])[0]) <= set(SAID["components"]["securitySchemes"])


def check(answer, path, method="get"):
    """An answer against the description of its call."""
    call = SAID["paths"][ADDRESS + path][method]
    described = call["responses"][str(answer.status)]["content"]
    schema = described[JSON]["schema"] | {"components": SAID["components"]}
    Draft202012Validator(schema).validate(answer.json)


def test_the_answers_are_as_described(client, challenge):
    token = client.join("somebody")
    images = adversarial(challenge)
    check(client.ask("/api/challenge"), "")
    check(client.ask("/api/challenge/openapi.json"), "/openapi.json")
    assert client.ask("/api/challenge/openapi.json").json == SAID
    check(client.send("queries", images, token), "/{id}/queries", "post")
    check(client.send("submissions", images, token), "/{id}/submissions", "post")
    check(client.send("submissions", images[:1], token), "/{id}/submissions", "post")  # refused: 422
    check(client.send("submissions", images * 0, token, "?positions=0,1,2,3,4,5"), "/{id}/submissions", "post")
    for path in ("", "/images", "/leaderboard", "/team", "/reveal", "/weights"):
        check(client.ask(path, token=token), "/{id}" + path)
    check(client.ask("/team"), "/{id}/team")
    check(client.ask("/teams", "POST", b'{"name": "somebody"}', JSON), "/{id}/teams", "post")
    check(client.ask("/teams", "POST", b'{"name": "another"}', JSON), "/{id}/teams", "post")
    challenge.reveal(early=True)
    check(client.ask("/reveal"), "/{id}/reveal")


@pytest.mark.parametrize("status", openapi.WHY)
def test_every_refusal_is_described_somewhere(status):
    assert any(str(status) in each["responses"] for _, _, each in operations())

"""A strategy: where its inputs come from, which models it asks, and the same bytes when its record is decided again."""

import json

import pytest
from rules_models import definitions, table

from puhui.engines import rules

ROUTE = [(['"no_event"'], ['"thin"']), (["-"], ['"thick"'])]
DECIDE = [(["< 18", "-"], ['"decline"']), (["-", ">= 600"], ['"offer"']), (["-", "null"], ['"ask"']), (["-", "-"], ['"decline"'])]
SOURCES = (
    rules.Source("age", "number(3,0)", "application:age"),
    rules.Source("why none", "category", "missing:bureau.worst.24m"),
    rules.Source("points", "number(6,0)", "score:thick.points"),
    rules.Source("thin points", "number(6,0)", "score:thin.points"),
)


@pytest.fixture(scope="module")
def strategy():
    body = table("route", ["why none"], ROUTE, policy="FIRST") + table("decide", ["age", "points"], DECIDE, policy="FIRST")
    kinds = {"age": "number", "why none": "string", "points": "number", "thin points": "number"}
    artefact = rules.compile(rules.load(definitions(body, inputs=kinds)), ["route", "decide"], {one.feel_name: one.type for one in SOURCES})
    return rules.Manifest(artefact.sha256, "route", "decide", SOURCES), artefact


def test_route_names_the_model_and_its_score_decides(strategy):
    manifest, artefact = strategy
    manifest.fits(artefact)
    asked = []

    def score(models):
        asked.append(models)
        return {one: {"points": 640, "probability_ppm": 12_000} for one in models}

    thick = rules.run_strategy(manifest, artefact, rules.Facts(application={"age": 30}), score)
    assert (thick.models, thick.value, thick.fired) == (("thick",), "offer", {"route": [2], "decide": [2]})
    thin = rules.run_strategy(manifest, artefact, rules.Facts(application={"age": 30}, missing={"bureau.worst.24m": "no_event"}), score)
    assert (thin.models, thin.value) == (("thin",), "ask")
    assert asked == [("thick",), ("thin",)]


def test_a_record_gives_the_same_bytes_again(strategy):
    manifest, artefact = strategy
    first = rules.run_strategy(manifest, artefact, rules.Facts(application={"age": 30}), lambda models: {"thick": {"points": 640}})
    kept = json.loads(first.to_bytes())
    inputs = {name: rules.feel(text) for name, text in kept["inputs"].items()}
    opened = rules.open_artefact(artefact.to_bytes())
    scores = {model: {key: rules.feel(text) for key, text in fields.items()} for model, fields in kept["scores"].items()}
    assert rules.replay_strategy(manifest, opened, inputs, tuple(kept["models"]), scores).to_bytes() == first.to_bytes()


def test_a_manifest_is_named_by_its_bytes_and_read_with_care(strategy):
    manifest, artefact = strategy
    data = manifest.to_bytes()
    assert rules.read_manifest(data) == manifest
    assert rules.read_manifest(data).sha256 == manifest.sha256
    for spoilt in (b"{}", b"[", data.replace(b"application:age", b"internet:age"), data.replace(b'"route":"route"', b'"route": "route"'), data.replace(artefact.sha256[:8].encode(), b"zzzzzzzz")):
        with pytest.raises(rules.BadManifest):
            rules.read_manifest(spoilt)
    for wrong in (
        rules.Manifest("0" * 64, "route", "decide", SOURCES),
        rules.Manifest(artefact.sha256, "nowhere", "decide", SOURCES),
        rules.Manifest(artefact.sha256, "route", "decide", SOURCES[1:]),
        rules.Manifest(artefact.sha256, "route", "decide", (rules.Source("age", "int64", "application:age"), *SOURCES[1:])),
    ):
        with pytest.raises(rules.BadManifest):
            wrong.fits(artefact)

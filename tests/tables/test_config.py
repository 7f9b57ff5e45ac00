"""The study file: what is allowed, what each mistake is told as, and the files that are made from the code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from nociomics.config import (
    SECTIONS,
    Config,
    check_config,
    config_digest,
    data_folder,
    defaults_yaml,
    load_config,
    schema_json,
    workflow_study,
)
from nociomics.errors import StudyError

ROOT = Path(__file__).resolve().parents[2]
TABLES = {"patients": "patients.csv", "treatments": "treatments.csv", "outcomes": "outcomes.csv"}
CHANGE = {"kind": "change", "outcome": "pain", "baseline": "pain_before", "treatment": "arm"}


def study(**keys: Any) -> dict[str, Any]:
    return {"study": "small", "tables": TABLES, **keys}


def problems(values: dict[str, Any]) -> list[str]:
    """The problems of a study, one text each."""
    with pytest.raises(StudyError) as caught:
        check_config(values, "study.yaml")
    first, *lines = str(caught.value).splitlines()
    assert first == f"study.yaml: {len(lines)} problems."
    return [line.strip() for line in lines]


# -- the files that are made from the code


@pytest.mark.parametrize(("name", "made"), [("config.yaml", defaults_yaml), ("config.schema.json", schema_json)])
def test_the_committed_file_is_the_one_that_the_code_makes(name: str, made: Any) -> None:
    committed = (ROOT / "config" / name).read_text(encoding="utf-8")
    assert committed == made(), "run `nociomics config --write config`"


def test_the_default_file_holds_every_setting_with_its_default() -> None:
    written = yaml.safe_load(defaults_yaml())
    assert written.pop("default_study") == "demo/study.yaml"
    plain = check_config(study(), "study.yaml")
    assert written == {name: getattr(plain, name).model_dump(mode="json") for name in SECTIONS}
    assert check_config(study(**written), "study.yaml") == plain


def test_every_key_is_described_for_the_reference_page() -> None:
    schema = json.loads(schema_json())
    parts = {"Config": schema, **schema["$defs"]}
    bare = [
        f"{part}.{key}"
        for part, definition in parts.items()
        for key, told in definition.get("properties", {}).items()
        if "description" not in told
        and part != "Inclusion"
        and f"{part}.{key}" not in ("Config.tables", "Config.target")
    ]
    assert [key for key in bare if not key.startswith("Config.")] == []
    assert all(part["additionalProperties"] is False for part in parts.values())


# -- unknown keys


@pytest.mark.parametrize(
    ("values", "place", "nearest"),
    [
        (study(tabels={}), "tabels", "tables"),
        (study(targett=CHANGE), "targett", "target"),
        ({"study": "small", "tables": {**TABLES, "biomarker": "b.csv"}}, "tables.biomarker", "biomarkers"),
        (study(target={**CHANGE, "outcom": "x"}), "target.outcom", "outcome"),
        (study(target={**CHANGE, "response": {"fall_percents": 30}}), "target.response.fall_percents", "fall_percent"),
        (study(response={"refit": 3}), "response.refit", "refits"),
        (study(folds={"repeat": 3}), "folds.repeat", "repeats"),
        (study(include={"age": {"at_lest": 18}}), "include.age.at_lest", "at_least"),
        (
            {"study": "small", "tables": {"patients": [{"path": "p.csv", "layot": "wide"}]}},
            "tables.patients.0.layot",
            "layout",
        ),
        (
            {"study": "s", "tables": {"patients": "p.csv", "blocks": [{"name": "b", "path": "b.csv", "sheets": "1"}]}},
            "tables.blocks.0.sheets",
            "sheet",
        ),
        (
            {
                "study": "s",
                "tables": {"patients": "p.csv", "expression": {"path": "e", "samples": {"path": "s", "sampl_id": "x"}}},
            },
            "tables.expression.0.samples.sampl_id",
            "sample_id",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_misspelt_key_is_named_with_the_nearest_and_all_known(
    values: dict[str, Any], place: str, nearest: str
) -> None:
    told = problems(values)
    assert len(told) == 1
    assert told[0].startswith(f'{place}: is not a key of a study. Did you mean "{nearest}"? Known here: ')
    assert nearest in told[0].split("Known here: ")[1]


def test_all_problems_are_named_at_once_and_no_value_is_shown() -> None:
    told = problems(
        {"study": "-SECRET", "seed": "SECRET", "tables": {"patients": []}, "response": {"trees": 0}, "x": 1}
    )
    assert [line.split(":")[0] for line in told] == ["study", "seed", "tables.patients", "response.trees", "x"]
    assert "SECRET" not in " ".join(told)


def test_a_study_needs_a_name_and_patients() -> None:
    assert problems({}) == ["study: is missing.", "tables: is missing."]
    assert problems({"study": "small", "tables": {}}) == ["tables.patients: is missing."]


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "a b", "-n", "a\n"])
def test_a_name_that_could_leave_the_results_folder_is_refused(name: str) -> None:
    assert problems({**study(), "study": name})[0].startswith("study: ")


# -- rules between keys

RULES = {
    "outcome without its table": (
        study(tables={"patients": "p.csv", "treatments": "t.csv"}, target=CHANGE),
        "tables.outcomes: is missing, but target.outcome needs it.",
    ),
    "treatment without its table": (
        study(tables={"patients": "p.csv", "outcomes": "o.csv"}, target=CHANGE),
        "tables.treatments: is missing, but target.treatment needs it.",
    ),
    "change without baseline": (
        study(target={**CHANGE, "baseline": None}),
        "target.baseline: is missing; kind: change needs the score or column",
    ),
    "baseline without change": (
        study(target={**CHANGE, "kind": "continuous"}),
        "target.baseline: only kind: change has one, not continuous.",
    ),
    "two response rules": (
        study(target={**CHANGE, "response": {"fall_percent": 30, "fall_points": 2}}),
        "target.response: give exactly one of fall_percent, fall_points, at_most.",
    ),
    "no response rule": (
        study(target={**CHANGE, "response": {}}),
        "target.response: give exactly one of fall_percent, fall_points, at_most.",
    ),
    "fall of what has no baseline": (
        study(target={"kind": "continuous", "outcome": "pain", "response": {"fall_points": 2}}),
        "target.response: kind: continuous understands at_most only.",
    ),
    "response rule of what is a response": (
        study(target={"kind": "binary", "outcome": "well", "response": {"at_most": 0}}),
        "target.response: kind: binary already is a response; leave it out.",
    ),
    "a weight of harm without harm": (
        study(target={**CHANGE, "harm_weight": 2}),
        "target.harm_weight: weighs an adverse event against the benefit of treatments, so it needs",
    ),
    "a weight of harm without a benefit": (
        study(
            target={
                "kind": "multiclass",
                "outcome": "kind",
                "treatment": "arm",
                "adverse_event": "ill",
                "harm_weight": 2,
            }
        ),
        "target.harm_weight: kind: multiclass names no benefit",
    ),
    "a weight of harm below 0": (
        study(target={**CHANGE, "adverse_event": "ill", "harm_weight": -1}),
        "target.harm_weight: ",
    ),
    "a weight of harm in words": (
        study(target={**CHANGE, "adverse_event": "ill", "harm_weight": "much"}),
        "target.harm_weight: ",
    ),
}


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_between_keys_is_told(rule: str) -> None:
    values, begin = RULES[rule]
    told = problems(values)
    assert len(told) == 1
    assert told[0].startswith(begin)


def test_several_broken_rules_are_told_together() -> None:
    told = problems(
        {
            "study": "small",
            "tables": {"patients": "p.csv"},
            "target": {"kind": "change", "outcome": "pain", "treatment": "arm"},
        }
    )
    assert [line.split(":")[0] for line in told] == ["tables.outcomes", "tables.treatments", "target.baseline"]


@pytest.mark.parametrize(
    "target",
    [
        None,
        CHANGE,
        {**CHANGE, "response": {"fall_percent": 30}},
        {**CHANGE, "response": {"fall_points": 2}},
        {**CHANGE, "response": {"at_most": 1}},
        {"kind": "continuous", "outcome": "pain"},
        {"kind": "continuous", "outcome": "pain", "response": {"at_most": 3}},
        {"kind": "binary", "outcome": "well", "groups": "site"},
        {"kind": "multiclass", "outcome": "course"},
    ],
)
def test_every_kind_of_target_is_allowed(target: dict[str, Any] | None) -> None:
    config = check_config(study(target=target), "study.yaml")
    assert (config.target is None) == (target is None)


# -- where the data are


def test_a_path_a_mapping_and_a_list_mean_the_same() -> None:
    ways = ("p.csv", {"path": "p.csv"}, ["p.csv"], [{"path": "p.csv"}])
    found = [check_config({"study": "s", "tables": {"patients": way}}, "study.yaml") for way in ways]
    assert all(config == found[0] for config in found)
    assert len({config_digest(config) for config in found}) == 1


def test_tables_lie_beside_the_study_unless_it_says_otherwise(tmp_path: Path) -> None:
    assert data_folder(check_config(study(), "x"), tmp_path) == tmp_path
    assert data_folder(check_config(study(data_root="tables"), "x"), tmp_path) == tmp_path / "tables"
    assert data_folder(check_config(study(data_root="/data"), "x"), tmp_path) == Path("/data")


@pytest.mark.parametrize("written", ["$NOCIOMICS_DATA/iwpc", "${NOCIOMICS_DATA}/iwpc"])
def test_data_elsewhere_are_found_by_the_variable(
    written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOCIOMICS_DATA", "/data")
    assert data_folder(check_config(study(data_root=written), "x"), tmp_path) == Path("/data/iwpc")


@pytest.mark.parametrize("value", [None, ""])
def test_without_the_variable_the_study_says_how_to_get_its_data(
    value: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOCIOMICS_DATA", raising=False)
    if value is not None:
        monkeypatch.setenv("NOCIOMICS_DATA", value)
    told = "Download them from the trial's page (CC-BY)."
    config = check_config(study(data_root="$NOCIOMICS_DATA/trial", source=told), "x")
    with pytest.raises(StudyError, match="set NOCIOMICS_DATA to the folder that holds its data") as caught:
        data_folder(config, tmp_path)
    assert str(caught.value).endswith(told)
    silent = check_config(study(data_root="$NOCIOMICS_DATA/trial"), "x")
    with pytest.raises(StudyError, match="does not say where they come from"):
        data_folder(silent, tmp_path)


@pytest.mark.parametrize("path", sorted((ROOT / "config" / "studies").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_study_that_we_ship_is_valid_and_says_where_its_data_are(path: Path) -> None:
    config = load_config(path)
    assert config.data_root is not None and config.data_root.startswith("$NOCIOMICS_DATA")
    assert config.source


# -- the study of a workflow


def test_the_workflow_takes_the_study_that_is_given(tmp_path: Path) -> None:
    config, folder = workflow_study({**study(), "default_study": "demo/study.yaml"}, [tmp_path / "study.yaml"])
    assert (config.study, folder) == ("small", tmp_path)


def test_the_workflow_takes_the_demo_when_none_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    defaults = {"default_study": "demo/study.yaml", "response": {"trees": 7}}
    with pytest.raises(StudyError, match=r"no study was named .*--configfile STUDY\.yaml.*`make demo`"):
        workflow_study(defaults, [])
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "study.yaml").write_text(yaml.safe_dump(study()), encoding="utf-8")
    config, folder = workflow_study(defaults, [])
    assert (config.study, config.response.trees, folder) == ("small", 7, tmp_path / "demo")


def test_the_digest_follows_every_setting_and_not_the_order_of_keys() -> None:
    plain = config_digest(check_config(study(), "x"))
    assert config_digest(check_config(dict(reversed(study().items())), "x")) == plain
    assert config_digest(check_config(study(seed=2), "x")) != plain
    assert config_digest(check_config(study(response={"trees": 7}), "x")) != plain


def test_a_configuration_cannot_be_changed_by_accident() -> None:
    config = check_config(study(), "x")
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 2
    assert isinstance(config, Config)


def test_a_key_that_stands_twice_is_refused_with_its_lines(tmp_path: Path) -> None:
    study = tmp_path / "study.yaml"
    study.write_text("study: x\ntables:\n  patients: a.csv\n  patients: b.csv\n")
    with pytest.raises(StudyError, match='"patients" in line 3, "patients" in line 4'):
        load_config(study)


def test_a_mapping_that_holds_itself_does_not_hang(tmp_path: Path) -> None:
    study = tmp_path / "study.yaml"
    study.write_text("study: &a {x: *a}\n")
    with pytest.raises(StudyError):
        load_config(study)

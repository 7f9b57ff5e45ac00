"""The study file with every default filled in: the only module that the Snakefile imports."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, Field, ValidationError

from nociomics.errors import StudyError, did_you_mean
from nociomics.models.settings import BlockSettings, ResamplingSettings, ResponseSettings, SplitSettings, StrataSettings
from nociomics.tables.study import Strict, Study

DATA_VARIABLE = "NOCIOMICS_DATA"


class TrainingSampleSettings(Strict):
    """Whom models learn from, in a cohort that holds more people than they need."""

    people: int | None = Field(
        None,
        ge=200,
        description="people drawn at random, on whom strata and response are learned and judged; everybody is "
        "predicted, explained and placed in a stratum. Left out: everybody",
    )


class ProfileSettings(Strict):
    """Which people get a page of their own."""

    people: int | None = Field(
        None,
        ge=0,
        description="number of patient profiles to write, in the order of the ids; left out: everyone of up to 2000",
    )
    ids: list[str] = Field([], description="people who get a profile, by their ids; they go before the number")


class TrackingSettings(Strict):
    """What MLflow is told."""

    enabled: bool = Field(True, description="false: the run writes its files and MLflow is left alone")


class Config(Study):
    """A study and every setting of its stages."""

    training_sample: TrainingSampleSettings = Field(
        TrainingSampleSettings(), description="whom models learn from, in a large cohort"
    )
    folds: SplitSettings = Field(SplitSettings(), description="cross-validation")
    blocks: BlockSettings = Field(BlockSettings(), description="compression of wide modalities")
    response: ResponseSettings = Field(ResponseSettings(), description="response models")
    resampling: ResamplingSettings = Field(ResamplingSettings(), description="permutations and the learning curve")
    strata: StrataSettings = Field(StrataSettings(), description="strata")
    profiles: ProfileSettings = Field(ProfileSettings(), description="patient pages")
    tracking: TrackingSettings = Field(TrackingSettings(), description="MLflow")


SECTIONS = ("training_sample", "folds", "blocks", "response", "resampling", "strata", "profiles", "tracking")


def load_config(path: Path) -> Config:
    """Read a study file; every problem of it is named at once.

    Raises
    ------
    StudyError
        Missing file, broken YAML, unknown or impossible keys.
    """
    return check_config(read_yaml(path), str(path))


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping, without running anything that it may hold."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        value = yaml.safe_load(text)
        _refuse_repeated_keys(yaml.compose(text, Loader=yaml.SafeLoader), str(path))
    except FileNotFoundError as error:
        raise StudyError(f"{path}: there is no such file. Give the path of a study's YAML file.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"{path}: cannot be read ({type(error).__name__}).") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        raise StudyError(f"{path}{place}: is not valid YAML. Check indentation, colons and quotes there.") from error
    if not isinstance(value, dict):
        raise StudyError(f"{path}: a study file is a mapping of keys to values; see config/README.md.")
    return value


def _refuse_repeated_keys(root: yaml.Node | None, where: str) -> None:
    """Refuse a mapping that names a key twice: YAML would silently take the last one."""
    found, waiting, seen = [], [root], set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:  # an alias, perhaps of a mapping that holds itself
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        if isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            twice = [key for key, _ in node.value if keys.count(key.value) > 1]
            found += [f'"{key.value}" in line {key.start_mark.line + 1}' for key in twice]
            waiting += [value for _, value in node.value]
    if found:
        raise StudyError(
            f"{where}: the same key stands more than once in one mapping ({', '.join(sorted(set(found)))}). Keep one; "
            "several files of one table are a list under one key."
        )


def check_config(values: dict[str, Any], where: str) -> Config:
    """Check a study's keys and values, or raise `StudyError` with every problem and what is allowed."""
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        lines = [_problem(entry) for entry in error.errors(include_url=False, include_input=False)]
        raise StudyError(f"{where}: {len(lines)} problems.\n" + "\n".join(f"  {line}" for line in lines)) from None
    problems = [*_target_problems(config), *_indication_problems(config), *_sample_problems(config)]
    if problems:
        raise StudyError(f"{where}: {len(problems)} problems.\n" + "\n".join(f"  {line}" for line in problems))
    return config


def _sample_problems(config: Config) -> Iterator[str]:
    if config.training_sample.people is not None and config.splits:
        yield "training_sample.people: the study's own splits say whom models learn from; leave one of the two out."


def _target_problems(config: Config) -> Iterator[str]:
    target = config.target
    if target is None:
        return
    if not config.tables.outcomes:
        yield "tables.outcomes: is missing, but target.outcome needs it. Add the table, or leave `target` out."
    if target.treatment and not config.tables.treatments:
        yield "tables.treatments: is missing, but target.treatment needs it. Add it, or leave target.treatment out."
    if target.harm_weight is not None and (target.adverse_event is None or target.treatment is None):
        yield (
            "target.harm_weight: weighs an adverse event against the benefit of treatments, so it needs "
            "target.adverse_event and target.treatment. Name both, or leave it out."
        )
    if target.harm_weight is not None and target.kind == "multiclass":
        yield "target.harm_weight: kind: multiclass names no benefit that harm could be weighed against; leave it out."
    if target.kind == "change" and not target.baseline:
        yield "target.baseline: is missing; kind: change needs the score or column that the outcome is compared with."
    if target.kind != "change" and target.baseline:
        yield f"target.baseline: only kind: change has one, not {target.kind}."
    if target.response is not None:
        given = [name for name, value in target.response if value is not None]
        if len(given) != 1:
            yield "target.response: give exactly one of fall_percent, fall_points, at_most."
        elif target.kind == "continuous" and given != ["at_most"]:
            yield "target.response: kind: continuous understands at_most only."
        elif target.kind in ("binary", "multiclass"):
            yield f"target.response: kind: {target.kind} already is a response; leave it out."


def _indication_problems(config: Config) -> Iterator[str]:
    if config.indication is None:
        return
    from nociomics.knowledge.pharmacogene import known_indications

    known = known_indications()
    if config.indication not in known:
        near = did_you_mean(config.indication, known)
        yield f'indication: "{config.indication}" is unknown.{near} Known: {", ".join(known)}; leave it out otherwise.'


def _problem(entry: Any) -> str:
    place = [part for part in entry["loc"] if isinstance(part, str | int)]
    dotted = ".".join(str(part) for part in place)
    if entry["type"] == "extra_forbidden":
        known = _known_keys([part for part in place[:-1] if isinstance(part, str)])
        return (
            f"{dotted}: is not a key of a study.{did_you_mean(str(place[-1]), known)} Known here: {', '.join(known)}."
        )
    if entry["type"] == "missing":
        return f"{dotted}: is missing."
    return f"{dotted}: {entry['msg'][0].lower()}{entry['msg'][1:]}."


def _known_keys(place: list[str]) -> list[str]:
    model: type[BaseModel] = Config
    for part in place:
        step = model.model_fields.get(part)
        inner = _model_in(step.annotation) if step else None
        if inner is None:
            continue
        model = inner
    return sorted(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in get_args(annotation):
        found = _model_in(part)
        if found is not None:
            return found
    return None


def data_folder(config: Study, study_folder: Path) -> Path:
    """Return the folder that the tables' paths are relative to.

    ``data_root`` may begin with ``$NOCIOMICS_DATA``; when that variable is not set the error says how to
    get the data, in the study's own words.
    """
    root = config.data_root or "."
    if DATA_VARIABLE in root:
        if not os.environ.get(DATA_VARIABLE):
            raise StudyError(
                f"study {config.study}: set {DATA_VARIABLE} to the folder that holds its data. "
                f"{config.source or 'The study file does not say where they come from.'}"
            )
        root = root.replace(f"${{{DATA_VARIABLE}}}", os.environ[DATA_VARIABLE])
        root = root.replace(f"${DATA_VARIABLE}", os.environ[DATA_VARIABLE])
    return Path(study_folder, root)


def config_digest(config: Config) -> str:
    """SHA-256 of a configuration's canonical JSON."""
    text = json.dumps(config.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def code_digest(*rooms: str) -> str:
    """Short hash of the source files of some rooms, so that a change in them re-runs the rules that use them."""
    package = Path(__file__).parent
    digest = hashlib.sha256()
    for room in sorted(rooms):
        place = package / room
        for file in [place] if place.is_file() else sorted(p for p in place.rglob("*") if _is_source(p)):
            digest.update(file.relative_to(package).as_posix().encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def code_commit() -> str:
    """Commit of the checkout that this code runs from; "not a checkout" for an installed package."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "not a checkout"
    return found.stdout.strip() if found.returncode == 0 else "not a checkout"


def _is_source(path: Path) -> bool:
    return path.is_file() and "__pycache__" not in path.parts


def defaults_yaml() -> str:
    """Every default by stage, as the text of config/config.yaml."""
    lines = [
        "# Every default, by stage. Generated by `nociomics config --write`; a study file may set any of these keys.",
        "# Without --configfile the workflow runs the study named here (made by `make demo`).",
        "default_study: demo/study.yaml",
    ]
    for section in SECTIONS:
        field = Config.model_fields[section]
        lines += ["", f"{section}:  # {field.description}"]
        model = _model_in(field.annotation)
        assert model is not None
        for name, inner in model.model_fields.items():
            lines.append(f"  {name}: {json.dumps(inner.default)}  # {inner.description}")
    return "\n".join(lines) + "\n"


def schema_json() -> str:
    """JSON schema of a study file, as the text of config/config.schema.json."""
    return json.dumps(Config.model_json_schema(), indent=2, sort_keys=True) + "\n"


def workflow_study(values: dict[str, Any], given: list[Path]) -> tuple[Config, Path]:
    """Return the study that Snakemake is to run and the folder its paths start from.

    Parameters
    ----------
    values : dict
        Snakemake's merged config.
    given : list of Path
        Files given by ``--configfile``; the last one is the study file.

    Raises
    ------
    StudyError
        When neither a study file was given nor the default study is there.
    """
    values = {key: value for key, value in values.items() if key != "default_study"}
    if given and "tables" in values:
        return check_config(values, str(given[-1])), Path(given[-1]).resolve().parent
    default = Path("demo/study.yaml")
    if not default.exists():
        raise StudyError(
            f"no study was named and {default} is not here. Give one with --configfile STUDY.yaml, or run "
            "`make demo`, which makes an invented cohort there."
        )
    merged = {**values, **read_yaml(default)}
    return check_config(merged, str(default)), default.resolve().parent

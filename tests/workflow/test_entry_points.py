"""One workflow behind every way to start it, and rules that are all built alike."""

from __future__ import annotations

import ast
import re
import shutil
from itertools import pairwise
from pathlib import Path
from textwrap import dedent

import pytest

from nociomics import config
from nociomics.config import code_digest
from tests.workflow.import_walk import PACKAGE, reached
from tests.workflow.study_runs import ROOT, command, job_counts

SMK_FILES = sorted((ROOT / "workflow" / "rules").glob("*.smk"))
ALL_FILES = [ROOT / "Snakefile", ROOT / "workflow" / "Snakefile", *SMK_FILES]
# The version number, and the reading of options: no result follows from them.
FRAME = {"__init__.py", "cli/options.py"}
_RULE = re.compile(r"^ *(?:use rule \w+ as|rule) (\w+)", re.MULTILINE)
# Made when the study asks for them: permutations of outcomes, a sample to learn from; or when the run divides a step.
_ASKED_FOR = ("permute_outcomes", "sample_people", "predict_folds", "refit_strata", "predict_part", "explain_part")


def rules() -> dict[str, str]:
    """The text of every rule that runs a command; the two that only ask for results have none."""
    found = {}
    for file in SMK_FILES:
        text = file.read_text(encoding="utf-8")
        starts = [*(match.start() for match in _RULE.finditer(text)), len(text)]
        for start, end in pairwise(starts):
            name = _RULE.match(text[start:])
            assert name is not None
            found[name[1]] = dedent(text[start:end])  # a rule under a condition stands further in
    return found


RULES = rules()
OWN_RULES = {name: text for name, text in RULES.items() if not text.startswith("use rule")}
every_rule = pytest.mark.parametrize("rule", OWN_RULES)


def named_rooms(rule: str) -> list[str]:
    """The rooms whose code a rule's digest holds."""
    call = re.search(r"code=(code_digest\([^)]*\))", OWN_RULES[rule])
    assert call is not None, f"{rule} has no digest of its code"
    parsed = ast.parse(call[1], mode="eval").body
    assert isinstance(parsed, ast.Call)
    return [ast.literal_eval(argument) for argument in parsed.args]


def test_every_way_to_start_plans_the_same_jobs(study: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "demo").mkdir(parents=True)
    # Without --configfile the workflow takes the study in demo/; its tables may lie anywhere.
    text = study.read_text(encoding="utf-8").replace("data_root: .", f"data_root: {study.parent}")
    (elsewhere / "demo" / "study.yaml").write_text(text, encoding="utf-8")
    dry = ("-n", "--directory", elsewhere)
    ways = {
        "from the root": command("snakemake", *dry, "--configfile", study, cwd=ROOT),
        "by its file": command("snakemake", "-s", "workflow/Snakefile", *dry, "--configfile", study, cwd=ROOT),
        "without a study": command("snakemake", *dry, cwd=ROOT),
        "by our command": command("nociomics", "run", study, "--", "-n", cwd=elsewhere),
    }
    failed = {way: told.stderr + told.stdout for way, told in ways.items() if told.returncode}
    assert failed == {}
    counts = {way: job_counts(told.stdout + told.stderr) for way, told in ways.items()}
    once = {name: 1 for name in OWN_RULES if name not in _ASKED_FOR}
    # three simpler models, and the full model without each of its four omics blocks
    expected = once | {"compare_out_of_fold": 3 + 4, "learn_from_fewer": 3, "hold_out_groups": 1, "all": 1}
    assert counts["from the root"] == expected | {"total": sum(expected.values())}
    assert [way for way, count in counts.items() if count != counts["from the root"]] == []
    said = "profiles/default for setting default command line arguments"
    assert [way for way, told in ways.items() if said not in told.stderr + told.stdout] == []
    assert not (elsewhere / "results").exists()


def test_permutations_are_divided_into_jobs_that_count_from_the_real_outcomes(study: Path, tmp_path: Path) -> None:
    text = study.read_text(encoding="utf-8").replace("data_root: .", f"data_root: {study.parent}")
    asked = tmp_path / "asked.yaml"
    asked.write_text(f"{text}\nresampling: {{permutations: 30, permutations_per_job: 25}}\n", encoding="utf-8")
    told = command("snakemake", "-n", "--directory", tmp_path, "--configfile", asked, cwd=ROOT)
    planned = told.stdout + told.stderr
    assert told.returncode == 0, planned
    assert job_counts(planned)["permute_outcomes"] == 2
    assert "permutations/0.parquet" in planned and "permutations/25.parquet" in planned


def test_without_a_study_the_message_says_how_to_get_one(tmp_path: Path) -> None:
    told = command("snakemake", "-n", "--directory", tmp_path, cwd=ROOT)
    assert told.returncode == 1
    assert "Give one with --configfile STUDY.yaml, or run `make demo`" in told.stderr + told.stdout


def test_snakemake_finds_nothing_to_complain_about(study: Path, tmp_path: Path) -> None:
    told = command("snakemake", "--lint", "--configfile", study, "--directory", tmp_path, cwd=ROOT)
    assert told.returncode == 0, told.stderr


def test_no_rule_has_a_run_block_or_a_script() -> None:
    found = [
        file.name for file in ALL_FILES if re.search(r"^\s+(run|script|notebook):", file.read_text(), re.MULTILINE)
    ]
    assert found == []


def test_the_workflow_imports_the_configuration_and_nothing_else_of_ours() -> None:
    imports = [line for file in ALL_FILES for line in file.read_text().splitlines() if "nociomics" in line]
    imports = [line for line in imports if re.match(r"\s*(from|import)\s", line)]
    assert imports, "the workflow reads its study by the package"
    assert [line for line in imports if not line.startswith("from nociomics.config import")] == []


@pytest.mark.parametrize("file", SMK_FILES, ids=lambda file: file.name)
def test_every_file_says_what_it_reads_and_what_it_gives(file: Path) -> None:
    opening = file.read_text(encoding="utf-8").split('"""')[1]
    assert re.search(r"^READS  ", opening, re.MULTILINE)
    assert re.search(r"^(WRITES|GIVES) +", opening, re.MULTILINE)


@every_rule
def test_every_rule_has_its_parts_and_one_command(rule: str) -> None:
    text = OWN_RULES[rule]
    assert re.match(rf'rule {rule}:\n    """[A-Z][^"]+\."""\n', text), "a docstring of one sentence comes first"
    for part in ("input", "output", "log", "benchmark", "params", "shell"):
        assert re.search(rf"^    {part}:", text, re.MULTILINE) or (part == "input" and rule == "initialise_tracking"), (
            part
        )
    # a rule that runs once per file has a log for each
    varied = re.search(r"\{\{(\w+)\}\}", text[text.index("    output:") : text.index("    log:")])
    name = f"{rule}/{{{{{varied[1]}}}}}" if varied else rule
    assert f'f"{{LOGS}}/{name}.log"' in text
    assert f'f"{{BENCHMARKS}}/{name}.tsv"' in text
    assert len(re.findall(r"^\s+nociomics ", text, re.MULTILINE)) == 1
    assert "&>{log:q}" in text


def test_a_rule_that_varies_another_has_a_log_and_benchmark_of_its_own() -> None:
    varied = {name: text for name, text in RULES.items() if name not in OWN_RULES}
    parts = {"compare_folds": "{{variant}}/{{scatteritem}}", "report_profile_part": "{{scatteritem}}"}
    assert sorted(varied) == sorted(["compare_out_of_fold", "hold_out_groups", *parts])
    for rule, part in parts.items():
        assert f'f"{{LOGS}}/{rule}/{part}.log"' in varied[rule]
        assert f'f"{{BENCHMARKS}}/{rule}/{part}.tsv"' in varied[rule]
    assert 'f"{LOGS}/hold_out_groups.log"' in varied["hold_out_groups"]
    assert 'f"{BENCHMARKS}/hold_out_groups.tsv"' in varied["hold_out_groups"]
    assert 'f"{LOGS}/compare_out_of_fold/{{variant}}.log"' in varied["compare_out_of_fold"]
    assert 'f"{BENCHMARKS}/compare_out_of_fold/{{variant}}.tsv"' in varied["compare_out_of_fold"]


@every_rule
def test_the_digest_of_a_rule_covers_all_the_code_that_its_command_can_run(rule: str) -> None:
    found = re.search(r"nociomics ([\w-]+) ([\w-]+)", OWN_RULES[rule])
    assert found is not None
    files = reached(f"nociomics.cli.{found[1]}", found[2].replace("-", "_"))
    assert f"cli/{found[1]}.py" in files
    rooms = named_rooms(rule)
    assert [room for room in rooms if not (PACKAGE / room).exists()] == []
    covered = {file for file in files for room in rooms if file == room or file.startswith(f"{room}/")}
    assert sorted(files - covered - FRAME) == []


def test_the_walk_through_the_code_sees_imports_inside_functions() -> None:
    files = reached("nociomics.cli.ingest", "tables")
    assert {"cli/ingest.py", "ingest/study_tables.py", "ingest/vcf.py", "tables/contract.py", "errors.py"} <= files
    assert not any(file.startswith(("models/", "report/", "tracking")) for file in files)


@pytest.fixture
def copied_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package, whose code the digest reads."""
    copy = tmp_path / "nociomics"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(config, "__file__", str(copy / "config.py"))
    return copy


@pytest.mark.parametrize("changed", ["harmonise/units.py", "knowledge/biomarkers.csv", "report/templates/style.css"])
def test_a_change_in_a_room_changes_the_digests_that_name_it(copied_package: Path, changed: str) -> None:
    before = {rule: code_digest(*named_rooms(rule)) for rule in OWN_RULES}
    with (copied_package / changed).open("a", encoding="utf-8") as file:
        file.write("\n")
    after = {rule: code_digest(*named_rooms(rule)) for rule in OWN_RULES}
    room = changed.split("/")[0]
    assert {rule for rule in OWN_RULES if before[rule] != after[rule]} == {
        rule for rule in OWN_RULES if room in named_rooms(rule)
    }
    assert before != after


def test_the_digest_sees_new_and_renamed_files_and_not_the_compiled_ones(copied_package: Path) -> None:
    before = code_digest("harmonise")
    assert code_digest("harmonise") == before
    (copied_package / "harmonise" / "__pycache__").mkdir()
    (copied_package / "harmonise" / "__pycache__" / "units.cpython-311.pyc").write_bytes(b"compiled")
    assert code_digest("harmonise") == before
    (copied_package / "harmonise" / "psqi.py").rename(copied_package / "harmonise" / "sleep.py")
    renamed = code_digest("harmonise")
    (copied_package / "harmonise" / "new.py").write_text("", encoding="utf-8")
    assert len({before, renamed, code_digest("harmonise")}) == 3

"""The compose file keeps what docs/deploy.md promises: no secret, no open port, everything watched and named."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

_ROOT = Path(__file__).resolve().parents[2]
_TEXT = (_ROOT / "workflow" / "deploy" / "compose.yaml").read_text(encoding="utf-8")
_COMPOSE: dict[str, Any] = yaml.safe_load(_TEXT)
_SERVICES: dict[str, dict[str, Any]] = _COMPOSE["services"]
_PAGE = (_ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")


def test_only_the_proxy_listens_to_others_and_it_is_asked_for() -> None:
    ports = {name: port for name, one in _SERVICES.items() for port in one.get("ports", ())}
    assert ports["tracking"].startswith("127.0.0.1:") and ports["service"].startswith("127.0.0.1:")
    assert {name for name, port in ports.items() if not port.startswith("127.0.0.1:")} == {"proxy"}
    assert _SERVICES["proxy"]["profiles"] == ["tls"]


def test_the_database_has_no_network_and_its_socket_only_those_who_need_it() -> None:
    assert _SERVICES["database"]["network_mode"] == _SERVICES["upgrade"]["network_mode"] == "none"
    have = {name for name, one in _SERVICES.items() if "socket:/var/run/postgresql" in one.get("volumes", ())}
    assert have == {"database", "upgrade", "tracking"}
    urls = re.findall(r"postgresql\+\S+://[^\s'\"]+", _TEXT)
    assert len(urls) == 3 and all(url.startswith("postgresql+pg8000://mlflow@/") for url in urls)
    assert all(url.endswith("?unix_sock=/var/run/postgresql/.s.PGSQL.5432") for url in urls)
    # the server that makes the databases has the same socket and no address: only the right one is healthy
    assert _SERVICES["database"]["healthcheck"]["test"][1:4] == ["pg_isready", "-h", "127.0.0.1"]


def test_no_secret_has_a_value_or_a_default() -> None:
    assert all(":?" in secret["file"] for secret in _COMPOSE["secrets"].values())
    assert set(re.findall(r"\$\{(\w+):-", _TEXT)) <= {"TRACKING_NAME", "SERVICE_NAME"}
    assert not re.search(r"://[^@\s]*:[^@\s]*@", _TEXT), "a password in a URL breaks the pages and gets into logs"
    for name in _COMPOSE["secrets"]:
        assert f"/{name}" in _PAGE, f"docs/deploy.md must say how {name} is made"


def test_everything_that_stays_up_is_watched() -> None:
    stay = {name for name, one in _SERVICES.items() if one["restart"] != "no"}
    assert stay == {"database", "tracking", "service", "proxy"}
    assert all("healthcheck" in _SERVICES[name] for name in stay)


def test_the_database_is_upgraded_alone_before_the_server_starts() -> None:
    assert _SERVICES["upgrade"]["entrypoint"][2:5] == ["mlflow", "db", "upgrade"]
    assert _SERVICES["tracking"]["depends_on"]["upgrade"]["condition"] == "service_completed_successfully"


def test_the_server_has_one_worker_no_jobs_no_telemetry_and_runs_no_pickle() -> None:
    (command,) = _SERVICES["tracking"]["command"]
    assert all(option in command for option in ("--workers 1", "--serve-artifacts", "--app-name basic-auth"))
    settings = _SERVICES["tracking"]["environment"]
    assert settings["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"
    assert settings["MLFLOW_DISABLE_TELEMETRY"] == settings["DO_NOT_TRACK"] == "true"
    assert settings["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"


def test_what_is_saved_is_what_there_is() -> None:
    kept = {volume.partition(":")[0] for one in _SERVICES.values() for volume in one.get("volumes", ())}
    assert {name for name in kept if not name.startswith("$")} == set(_COMPOSE["volumes"])
    assert all(f"`{name}`" in _PAGE for name in _COMPOSE["volumes"])


def test_passwords_are_remembered_because_one_worker_alone_does_so() -> None:
    """Another worker would go on to accept a password that was changed."""
    assert "auth_cache_ttl_seconds" in _COMPOSE["configs"]["auth"]["content"]
    assert "--workers 1" in _SERVICES["tracking"]["command"][0]


def test_every_path_in_a_command_is_put_there() -> None:
    for name in ("upgrade", "tracking", "service"):
        one = _SERVICES[name]
        given = [volume.split(":")[-2 if volume.endswith(":ro") else -1] for volume in one.get("volumes", ())]
        given += [f"/run/secrets/{secret}" for secret in one.get("secrets", ())]
        given += [config["target"] for config in one.get("configs", ())]
        words = " ".join([*one["entrypoint"], *one.get("command", ())])
        used = re.findall(r"(?<![\w.:/@])/[\w./-]+", words.replace("unix_sock=", " "))
        assert used, name
        for path in used:
            assert any(path == place or path.startswith(f"{place}/") for place in given), f"{name}: {path}"

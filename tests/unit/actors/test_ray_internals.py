"""What we use of Ray's private modules is there and means the same: fails if an upgrade changes it."""

from __future__ import annotations

import inspect
import os
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import ray
from ray import serve
from ray._private import auto_init_hook, node, parameter, ray_constants, services, worker
from ray._private.authentication import authentication_token_setup
from ray._private.state import GlobalState
from ray._private.state import state as ray_state
from ray.core.generated import autoscaler_pb2
from ray.exceptions import RaySystemError
from ray.experimental import internal_kv
from ray.serve._private import replica
from ray.serve._private.request_router import replica_wrapper
from ray.serve.handle import DeploymentHandle

from actors import ray_internals
from tests.support.paths import ROOT

TESTED_WITH = "2.60"


def test_the_version_of_ray_is_the_one_these_were_written_for() -> None:
    """After an upgrade, read each of Ray's places again, then change TESTED_WITH and the docstrings."""
    assert ray.__version__.startswith(f"{TESTED_WITH}.")


def test_only_this_module_imports_private_modules_of_ray() -> None:
    private = (
        "ray._private",
        "ray._common",
        "ray.serve._private",
        "_internal=True",
        "_by_reference",
        "_temp_dir",
    )
    users = {
        path.relative_to(ROOT).as_posix()
        for package in ("staragents", "actors", "cluster")
        for path in (ROOT / package).rglob("*.py")
        if any(name in path.read_text(encoding="utf-8") for name in private)
    }
    assert users == {"actors/ray_internals.py"}


# -- the session ---------------------------------------------------------------------------------------


def test_ray_makes_its_folders_and_its_address_file_below_ray_tmpdir(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    assert ray_internals.temporary_folder() == str(tmp_path)
    assert ray_internals.address_file() == str(tmp_path / "ray" / "ray_current_cluster")


def test_ray_init_takes_the_folder_of_a_session() -> None:
    (argument,) = ray_internals.in_folder("/tmp/x")
    assert f'kwargs.pop("{argument}"' in inspect.getsource(ray.init)


@pytest.mark.parametrize("copy_output", [False, True])
def test_a_local_ray_starts_without_dashboard_and_monitor(copy_output: bool) -> None:
    before = services.start_api_server, parameter.RayParams
    with ray_internals.only_needed_processes(copy_output):
        made = parameter.RayParams(num_cpus=2)
        made.update_if_absent(include_log_monitor=True)  # as `Node` does
        assert services.start_api_server(False, False, host="127.0.0.1") == (None, None)
    assert made.no_monitor
    assert made.include_log_monitor is copy_output
    assert (services.start_api_server, parameter.RayParams) == before


def test_ray_looks_these_up_when_it_starts() -> None:
    start = inspect.getsource(node.Node.start_head_processes)
    assert "if not self._ray_params.no_monitor:" in start
    assert "if self._ray_params.include_log_monitor:" in inspect.getsource(node.Node.start_ray_processes)
    started = inspect.getsource(node.Node.start_api_server)
    assert "self._webui_url, process_info = ray._private.services.start_api_server(" in started
    assert "if process_info is not None:" in started
    assert "ray._private.parameter.RayParams(" in inspect.getsource(worker.init)


def test_ray_on_loopback_uses_no_other_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_constants, "ENABLE_RAY_CLUSTER", True)
    assert not ray_internals.stays_on_loopback()
    ray_internals.stay_on_loopback()
    assert ray_internals.stays_on_loopback()
    assert services.get_node_ip_address() == "127.0.0.1"


def test_a_call_without_a_ray_fails_instead_of_starting_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Ray started this way has neither token nor private folder."""
    monkeypatch.setattr(auto_init_hook, "enable_auto_connect", True)
    ray_internals.start_on_request_only()
    with pytest.raises(RaySystemError, match="has not been started"):
        ray.put(1)
    assert not ray.is_initialized()


def test_a_token_can_be_loaded_without_a_warning() -> None:
    setup = authentication_token_setup.maybe_enable_token_auth_if_token_available
    assert "warn_if_disabled" in inspect.signature(setup).parameters
    assert isinstance(ray_internals.uses_token(), bool)


# -- the cluster ---------------------------------------------------------------------------------------


def test_groups_of_nodes_have_resources_and_a_maximum(monkeypatch: pytest.MonkeyPatch) -> None:
    config = autoscaler_pb2.ClusterConfig(
        node_group_configs=[autoscaler_pb2.NodeGroupConfig(resources={"CPU": 8}, max_count=3)]
    )
    monkeypatch.setattr(ray_state, "get_cluster_config", lambda: config)
    (group,) = ray_internals.node_groups()
    assert (dict(group.resources), group.max_count) == ({"CPU": 8}, 3)
    monkeypatch.setattr(ray_state, "get_cluster_config", lambda: None)
    assert len(ray_internals.node_groups()) == 0


def test_the_job_table_says_which_drivers_have_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    table = [{"JobID": "01", "IsDead": True}, {"JobID": "02", "IsDead": False}]
    monkeypatch.setattr(ray_state, "job_table", lambda: table)
    assert ray_internals.is_over("01")
    assert not ray_internals.is_over("02")
    source = inspect.getsource(GlobalState.job_table)
    assert all(f'"{key}"' in source for key in table[0])


def test_every_actor_answers_when_it_is_ready() -> None:
    assert "def __ray_ready__(self)" in inspect.getsource(ray.actor)
    actor = SimpleNamespace(__ray_ready__=SimpleNamespace(remote=lambda: "up"))
    assert ray_internals.ready(actor) == "up"


class Store:
    """The calls of Ray's client that notes use."""

    def __init__(self) -> None:
        self.kept: dict[tuple[bytes, bytes], bytes] = {}

    def internal_kv_put(self, key: bytes, value: bytes, overwrite: bool, namespace: bytes) -> int:
        self.kept[namespace, key] = value
        return 1

    def internal_kv_keys(self, prefix: bytes, namespace: bytes) -> list[bytes]:
        return [key for of, key in self.kept if of == namespace and key.startswith(prefix)]

    def internal_kv_del(self, key: bytes, by_prefix: bool, namespace: bytes) -> int:
        assert by_prefix
        found = self.internal_kv_keys(key, namespace)
        self.kept = {at: value for at, value in self.kept.items() if at[1] not in found}
        return len(found)


def test_notes_are_found_and_removed_by_their_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(internal_kv, "global_gcs_client", Store())
    for name in ("a/1", "a/2", "b/1"):
        ray_internals.leave_note(name)
    assert ray_internals.notes("a/") == {"a/1", "a/2"}
    ray_internals.remove_notes("a/")
    assert ray_internals.notes("") == {"b/1"}


# -- Serve ---------------------------------------------------------------------------------------------


def test_a_deployment_keeps_its_version() -> None:
    class Replica:
        pass

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fixed = ray_internals.with_version(serve.deployment(name="x")(Replica), "1")
    assert fixed.version == "1"


def test_a_handle_can_send_by_value() -> None:
    assert "_by_reference" in inspect.signature(DeploymentHandle.options).parameters
    handle = SimpleNamespace(options=lambda **named: named)
    assert ray_internals.by_value(handle) == {"_by_reference": False}


def test_connections_to_replicas_get_more_options(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replica_wrapper, "init_grpc_channel", replica_wrapper.init_grpc_channel)
    monkeypatch.setattr(ray_internals, "init_grpc_channel", lambda *arguments, **named: (arguments, named))
    ray_internals.add_channel_options([("ping", 1)])
    made: Any = replica_wrapper.init_grpc_channel("host:1", options=[("own", 2)], asynchronous=True)
    assert made == (("host:1",), {"options": [("own", 2), ("ping", 1)], "asynchronous": True})
    assert _calls(replica_wrapper, "init_grpc_channel", "options=")


def test_the_server_of_a_replica_gets_more_options(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "create_grpc_server_with_interceptors"
    monkeypatch.setattr(replica, name, getattr(replica, name))
    monkeypatch.setattr(ray_internals, name, lambda **named: named)
    ray_internals.add_server_options([("strikes", 0)])
    made: Any = replica.create_grpc_server_with_interceptors(asynchronous=True, options=[("own", 2)])
    assert made == {"asynchronous": True, "options": [("own", 2), ("strikes", 0)]}
    assert _calls(replica, name, "options=")


def test_a_replica_listens_on_one_address(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "add_port_to_grpc_server"
    monkeypatch.setattr(replica, name, replica.add_port_to_grpc_server)
    bound: list[Any] = []
    monkeypatch.setattr(ray_internals, name, lambda *arguments: bound.append(arguments) or 7)
    ray_internals.listen_on("10.0.0.5")
    assert replica.add_port_to_grpc_server("the server", "[::]:0") == 7
    assert bound == [("the server", "10.0.0.5:0")]
    assert _calls(replica, name, "self._server, ")


def _calls(module: Any, name: str, argument: str) -> bool:
    """Whether the module calls the name itself, and with this argument."""
    _, *calls = inspect.getsource(module).split(f"= {name}(")
    return bool(calls) and all(argument in call[:300] for call in calls)


def test_a_ray_that_we_start_sends_no_usage_statistics(monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/operations.md says so; `ray.init` turns them off itself."""

    def stopped(*_: Any, **__: Any) -> None:
        raise RuntimeError("before anything starts")

    monkeypatch.setattr(node, "Node", stopped)
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "1")
    with pytest.raises(RuntimeError, match="before anything starts"):
        ray.init(address="local", include_dashboard=False)
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"

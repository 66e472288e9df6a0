"""The files that bring Tidegate to a cluster: each is what its reader takes, and leaves nothing open."""

import copy
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import typer.main
import yaml
from ray.autoscaler._private.util import fill_node_type_min_max_workers, prepare_config, validate_config

from actors.names import JOURNAL_RESOURCE
from gateway.cli import app

ROOT = Path(__file__).parents[2]
LAUNCHED = [ROOT / "cluster.yaml", ROOT / "deploy" / "cluster-on-premises.yaml"]
NEAR = f'{{"{JOURNAL_RESOURCE}": 1}}'
KUBERNETES = kubernetes_validate.latest_version()


def manifests() -> dict[str, Any]:
    """Read the Kubernetes manifest, by kind."""
    text = (ROOT / "deploy" / "kuberay.yaml").read_text(encoding="utf-8")
    return {document["kind"]: document for document in yaml.safe_load_all(text)}


def groups() -> dict[str, Any]:
    """Return the groups of the cluster, by their name."""
    spec = manifests()["RayCluster"]["spec"]
    return {"head": spec["headGroupSpec"]} | {group["groupName"]: group for group in spec["workerGroupSpecs"]}


def containers() -> dict[str, Any]:
    """Return the one container of each pod, by the group's name."""
    found = {name: group["template"]["spec"]["containers"] for name, group in groups().items()}
    return {name: container for name, (container,) in found.items()}


@pytest.mark.parametrize("path", LAUNCHED, ids=lambda path: path.name)
def test_rays_launcher_takes_the_file(path: Path) -> None:
    """Pins Ray's own schema over the file as it is, and over what Ray makes of it."""
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    validate_config(copy.deepcopy(config) | {"cluster_synced_files": []})
    prepared = prepare_config(copy.deepcopy(config))
    validate_config(prepared)
    fill_node_type_min_max_workers(prepared)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("path", LAUNCHED, ids=lambda path: path.name)
def test_a_launched_cluster_asks_for_its_token_and_shows_no_dashboard(path: Path) -> None:
    """Pins that every node starts with the token's mode, and that one place is near the journal."""
    text = path.read_text(encoding="utf-8")
    config = yaml.safe_load(text)
    starts = [*config["head_start_ray_commands"], *config["worker_start_ray_commands"]]
    starts = [command for command in starts if "ray start" in command]
    assert 2 == len(starts)
    assert all("RAY_AUTH_MODE=token" in command for command in starts)
    assert "--include-dashboard=false" in starts[0]
    assert "~/.ray/auth_token" in config["file_mounts"]
    near = [kind for kind in config.get("available_node_types", {}).values() if JOURNAL_RESOURCE in kind["resources"]]
    assert 1 == len(near) + starts[0].count(NEAR)


@pytest.mark.parametrize("path", LAUNCHED, ids=lambda path: path.name)
def test_a_launched_head_starts_the_other_machines_and_everybody_finds_the_program(path: Path) -> None:
    """Pins what the launcher itself does not check: without it the head stays alone, and `ray down` finds no ray."""
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    head = config["head_start_ray_commands"][-1]
    assert "--autoscaling-config=~/ray_bootstrap_config.yaml" in head
    assert (config["provider"]["type"] == "local") == ("RAY_enable_autoscaler_v2=0" in head)
    assert any("export PATH=" in command and "RAY_AUTH_MODE=token" in command for command in config["setup_commands"])
    assert "chmod 700 ~/.ray" in config["setup_commands"]  # Ray's own command leaves the token for everybody to read
    assert all(remote.startswith("~/") for remote in config["file_mounts"])  # copied by a user who is not root


@pytest.mark.parametrize("name", ["head", "journal", "strategies"])
def test_kubernetes_takes_each_pod_and_the_service(name: str) -> None:
    """Pins Kubernetes' own schema, strictly: a key that it does not know is none."""
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": groups()[name]["template"]["spec"]}
    kubernetes_validate.validate(pod, KUBERNETES, strict=True)
    kubernetes_validate.validate(manifests()["Service"], KUBERNETES, strict=True)


def test_every_container_is_probed_by_what_its_ray_serves() -> None:
    """Pins ports of Ray's gRPC health: the operator's own probes would ask a dashboard that is not installed."""
    ports = {name: group["rayStartParams"]["node-manager-port"] for name, group in groups().items()}
    for name, container in containers().items():
        assert int(ports[name]) == container["livenessProbe"]["grpc"]["port"]
        assert {"grpc", "exec"} & set(container["readinessProbe"])
    assert 6379 == containers()["head"]["readinessProbe"]["grpc"]["port"]


def test_no_pod_runs_as_root_or_may_become_it() -> None:
    """Pins the pods' and the containers' security, which a restricted namespace asks for."""
    for name, group in groups().items():
        pod = group["template"]["spec"]
        assert (True, 1000) == (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["runAsUser"]), name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            locked = container["securityContext"]
            assert (False, ["ALL"]) == (locked["allowPrivilegeEscalation"], locked["capabilities"]["drop"])


def test_secrets_come_from_secrets_and_the_token_from_the_operator() -> None:
    """Pins that nothing secret stands in the manifest, and that where users' code runs there is none to read."""
    spec = manifests()["RayCluster"]["spec"]
    assert {"mode": "token"} == spec["authOptions"]
    assert not any("value" not in entry for container in containers().values() for entry in container["env"])
    known = {name: [source["secretRef"]["name"] for source in c["envFrom"]] for name, c in containers().items()}
    assert {"head": ["tidegate-journal"], "journal": [], "strategies": []} == known
    files = {"tidegate-tls", "tidegate-access"}
    for name, expected in (("head", files), ("journal", files), ("strategies", set())):
        secrets = [v["secret"] for v in groups()[name]["template"]["spec"]["volumes"] if "secret" in v]
        assert expected == {secret["secretName"] for secret in secrets}
        assert all(secret["defaultMode"] == 0o400 for secret in secrets)


def test_the_service_leads_to_the_node_on_which_the_gateway_serves() -> None:
    """Pins the labels, the port, and the probe: health over TLS by a command that there is."""
    service, journal = manifests()["Service"], groups()["journal"]
    assert service["spec"]["selector"] == journal["template"]["metadata"]["labels"]
    container = containers()["journal"]
    assert service["spec"]["ports"][0]["targetPort"] in {port["name"] for port in container["ports"]}
    probe = container["readinessProbe"]["exec"]["command"]
    assert "tidegate" == probe[0]
    assert set(probe) & set(getattr(typer.main.get_command(app), "commands", {})) == {"health"}


def test_the_risk_manager_runs_near_the_journal_and_strategies_elsewhere() -> None:
    """Pins which pods offer the journal: two, on two hosts, for one may die."""
    near = [
        name
        for name, group in groups().items()
        if NEAR in group["rayStartParams"].get("resources", "").replace("\\", "")
    ]
    assert ["journal"] == near
    journal = groups()["journal"]
    assert 2 == journal["replicas"]
    affinity = journal["template"]["spec"]["affinity"]["podAntiAffinity"]
    assert "kubernetes.io/hostname" == affinity["requiredDuringSchedulingIgnoredDuringExecution"][0]["topologyKey"]
    cpus = {name: group["rayStartParams"]["num-cpus"] for name, group in groups().items()}
    assert {"head": "0", "journal": "0", "strategies": "1"} == cpus

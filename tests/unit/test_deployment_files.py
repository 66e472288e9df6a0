"""The files that bring Tidegate to a cluster: each is what its reader takes, and leaves nothing open."""

import copy
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from ray.autoscaler._private.util import fill_node_type_min_max_workers, prepare_config, validate_config

from actors.names import JOURNAL_RESOURCE
from gateway.cli import app

ROOT = Path(__file__).parents[2]
LAUNCHED = [ROOT / "cluster.yaml", ROOT / "deploy" / "cluster-on-premises.yaml"]
NEAR = f'{{"{JOURNAL_RESOURCE}": 1}}'


def manifests() -> dict[str, Any]:
    """Read the Kubernetes manifest, by kind."""
    text = (ROOT / "deploy" / "kuberay.yaml").read_text(encoding="utf-8")
    return {document["kind"]: document for document in yaml.safe_load_all(text)}


def groups() -> dict[str, Any]:
    """Return the pods of the cluster, by their group."""
    spec = manifests()["RayCluster"]["spec"]
    return {"head": spec["headGroupSpec"]} | {group["groupName"]: group for group in spec["workerGroupSpecs"]}


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
    """Pins that nothing secret stands in the manifest, and that the head knows the journal's database."""
    spec = manifests()["RayCluster"]["spec"]
    assert {"mode": "token"} == spec["authOptions"]
    environment = {entry["name"]: entry for entry in groups()["head"]["template"]["spec"]["containers"][0]["env"]}
    source = environment["TIDEGATE_JOURNAL"]["valueFrom"]["secretKeyRef"]
    assert {"name": "tidegate-journal", "key": "url"} == source
    mounted = {volume["name"]: volume for volume in groups()["journal"]["template"]["spec"]["volumes"]}
    assert {"tidegate-tls", "tidegate-access"} == {v["secret"]["secretName"] for v in mounted.values() if "secret" in v}


def test_the_service_leads_to_the_node_on_which_the_gateway_serves() -> None:
    """Pins the labels, the port, and the probe: health over TLS by a command that there is."""
    service, journal = manifests()["Service"], groups()["journal"]
    assert service["spec"]["selector"] == journal["template"]["metadata"]["labels"]
    (container,) = journal["template"]["spec"]["containers"]
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
    assert "0" == groups()["head"]["rayStartParams"]["num-cpus"]

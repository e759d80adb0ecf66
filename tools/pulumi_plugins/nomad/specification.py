"""Job specifications: the file with its variables becomes Nomad's job, and its source stays with the job."""

import re
from collections.abc import Iterator
from typing import Any

from tools.pulumi_plugins.nomad.resource import FAILURES, ResourceError
from tools.pulumi_plugins.nomad.values import Values
from upschedule.deploy.job_files import parse_job_file
from upschedule.deploy.nomad import NomadClient

DECLARATION = re.compile(r'^\s*variable\s+"([^"]+)"', re.MULTILINE)


def parse(nomad: NomadClient, inputs: Values) -> Values:
    """The job as Nomad reads it. Raises ServerRefused with Nomad's message about the wrong line."""
    job = parse_job_file(nomad, inputs["jobspec"], variables(inputs))
    if not job.get("ID"):
        raise ResourceError("The job specification names no job.")
    return job


def problems(nomad: NomadClient, inputs: Values) -> list[str]:
    """The problems of the specification. Nomad itself would ignore a variable that is not declared."""
    undeclared = variables(inputs).keys() - set(DECLARATION.findall(inputs["jobspec"]))
    if undeclared:
        return [f"the specification declares no variable {', '.join(sorted(undeclared))}"]
    try:
        job = parse(nomad, inputs)
        checked = nomad.call("POST", "validate", "job", body={"Job": job}, namespace=namespace_of(job))
    except FAILURES as refused:
        return [str(refused)]
    # The namespace may be made by the same program, before the job.
    return [text for text in checked["ValidationErrors"] or [] if "in nonexistent namespace" not in text]


def namespace_of(job: Values) -> str:
    return job.get("Namespace") or "default"


def variables(inputs: Values) -> dict[str, str]:
    return (inputs.get("hcl2") or {}).get("vars") or {}


def submission(inputs: Values, secret_texts: set[str]) -> Values:
    """The source and variables that Nomad stores with the job and shows in its UI, without those that hold a secret."""
    shown = {name: value for name, value in variables(inputs).items() if value not in secret_texts}
    return {"Source": inputs["jobspec"], "Format": "hcl2", "VariableFlags": shown, "Variables": ""}


def submitted(nomad: NomadClient, job: Values) -> Values:
    """The inputs that made this version of the job. Raises ResourceError when Nomad has no source for it."""
    query = {"namespace": job["Namespace"], "version": str(job["Version"])}
    found = nomad.find("job", job["ID"], "submission", **query)
    if found is None or found["Format"] != "hcl2":
        raise ResourceError(f"Job {job['ID']} was not registered with its HCL source, so it cannot be imported.")
    given = found.get("VariableFlags") or {}
    return {"jobspec": found["Source"], **({"hcl2": {"vars": given}} if given else {})}


def edited(nomad: NomadClient, job: Values, *, live: Values, preserve_counts: bool) -> list[str]:
    """The names of what differs between `job` and the running `live`; values stay out, some are secrets."""
    if preserve_counts:
        counts = {group["Name"]: group["Count"] for group in live["TaskGroups"]}
        for group in job["TaskGroups"]:
            group["Count"] = counts.get(group["Name"], group["Count"])
    planned = nomad.call("POST", "job", job["ID"], "plan", body={"Job": job, "Diff": True}, namespace=live["Namespace"])
    return sorted(set(changes(planned["Diff"] or {})))


def changes(diff: dict[str, Any], place: str = "") -> Iterator[str]:
    """Every changed field of a plan, with the way to it."""
    if diff.get("Type") == "None":
        return
    for field in diff.get("Fields") or []:
        if field["Type"] != "None":
            yield f"{place}{field['Name']}"
    for kind in ("TaskGroups", "Tasks", "Objects"):
        for part in diff.get(kind) or []:
            yield from changes(part, f"{place}{part['Name']} > ")

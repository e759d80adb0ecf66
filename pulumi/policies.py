"""Refuses what must never be on the cluster, also in a preview: checks each resource when the program registers it."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import pulumi

_JOB = "nomad:index/job:Job"
_POLICY = "nomad:index/aclPolicy:AclPolicy"
_TOKEN = "nomad:index/aclToken:AclToken"  # noqa: S105 - the name of a type
_ROOT = ("", "root", "0")
#: A policy that gives many rights at once; a block whose label matches many names; a path with the secrets of all jobs.
_COARSE = re.compile(r'^\s*policy\s*=\s*"write"', re.MULTILINE)
_WILDCARD = re.compile(r'^\s*(?!path\b)\w+\s+"[^"\n]*\*', re.MULTILINE)
_SECRETS = re.compile(r'^\s*path\s+"(?:\*|nomad\b[^"\n]*\*)', re.MULTILINE)
#: A text that is part of others by chance says nothing.
_SECRET_LENGTH_MIN = 8
#: In the place of a value that is not known before resources exist; no policy depends on one.
_LATER = "later"

#: Turns the text of a job file and its variables into Nomad's own form of the job.
Parse = Callable[[str, Mapping[str, str]], dict[str, Any]]


class PolicyViolated(pulumi.RunError):
    """A resource of the program would be what must never be; the text lists all reasons."""

    def __init__(self, resource: str, problems: Collection[str]) -> None:
        super().__init__(f"{resource} must never be:" + "".join(f"\n  {problem}" for problem in problems))


def enforce(secrets: Mapping[str, str], parse: Parse) -> None:
    """Checks every resource of the program from now on. `secrets` are texts by name. Raises PolicyViolated."""
    marks = {name: _mark(text) for name, text in secrets.items()}
    hidden = {name: mark for name, mark in marks.items() if len(mark) >= _SECRET_LENGTH_MIN}

    def check(arguments: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        properties: dict[str, Any] = dict(arguments.props)
        if arguments.type_ == _JOB:
            properties["hcl2"] = {"vars": dict(job_variables(properties))}
        title = f"{arguments.type_.rpartition(':')[2]} {arguments.name}"
        problems = list(clear_problems(properties, hidden))
        if arguments.type_ == _JOB:
            variables = properties["hcl2"]["vars"].items()
            known = {name: value if isinstance(value, str) else _LATER for name, value in variables}
            job = parse(properties["jobspec"], known)
            problems += job_problems(job, keeps_data=bool(arguments.opts.protect))
        elif arguments.type_ == _POLICY:
            problems += rule_problems(properties["rules_hcl"])
        elif arguments.type_ == _TOKEN and properties["type"] == "management":
            problems.append("a management token passes every policy by")
        if problems:
            raise PolicyViolated(title, problems)
        if arguments.type_ != _JOB:
            return None
        properties["hcl2"] = {"vars": _checked_later(properties["hcl2"]["vars"], title, hidden)}
        return pulumi.ResourceTransformationResult(props=properties, opts=arguments.opts)

    pulumi.runtime.register_stack_transformation(check)


def job_problems(job: Mapping[str, Any], *, keeps_data: bool) -> Iterator[str]:
    """Checks a job in Nomad's own form; one that keeps data needs a host volume that a task writes to."""
    for group in job["TaskGroups"]:
        for task in group["Tasks"]:
            place = f"task {group['Name']}/{task['Name']}"
            if (task.get("User") or "") in _ROOT:
                yield f"{place} would run as root"
            resources = task.get("Resources") or {}
            if not resources.get("MemoryMB") or not (resources.get("CPU") or resources.get("Cores")):
                yield f"{place} has no limit of memory and processor"
        if keeps_data and not _writes_to_volume(group):
            yield f"group {group['Name']} keeps data, but no task writes to a host volume"


def rule_problems(rules: str) -> Iterator[str]:
    """Checks the rules of a policy of Nomad."""
    if _WILDCARD.search(rules):
        yield "a name with * allows what does not exist yet"
    if _SECRETS.search(rules):
        yield "a path with * allows the secrets of every job"
    if _COARSE.search(rules):
        yield 'policy = "write" allows much at once; name the capabilities'


def clear_problems(properties: Mapping[str, Any], secrets: Mapping[str, str]) -> Iterator[str]:
    """Finds secrets in texts that Pulumi and Nomad do not encrypt. Outputs are left out: some are secret."""
    texts = "\n".join(_texts(properties))
    for name, secret in secrets.items():
        if secret in texts or quote(secret, safe="") in texts:
            yield f"the secret {name} would be stored in the clear"


def job_variables(properties: Mapping[str, Any]) -> Mapping[str, Any]:
    """The variables for the job file; some may be outputs."""
    hcl2 = properties.get("hcl2") or {}
    return (hcl2.get("vars") if isinstance(hcl2, Mapping) else hcl2.vars) or {}


def _mark(secret: str) -> str:
    """The part of a secret to search for: the longest line of a document, which does not depend on its line ends."""
    lines = [line for line in secret.splitlines() if not line.startswith("-----")]
    return max(lines, key=len, default="")


def _checked_later(variables: Mapping[str, Any], title: str, secrets: Mapping[str, str]) -> dict[str, Any]:
    """A job's variables are never encrypted, not even those that are secret outputs: these are checked once known."""

    def checked(value: str) -> str:
        if problems := list(clear_problems({"value": value}, secrets)):
            raise PolicyViolated(title, problems)
        return value

    return {
        name: value if isinstance(value, str) else pulumi.Output.from_input(value).apply(checked)
        for name, value in variables.items()
    }


def _writes_to_volume(group: Mapping[str, Any]) -> bool:
    volumes: Mapping[str, Any] = group.get("Volumes") or {}
    writable = {name for name, volume in volumes.items() if volume["Type"] == "host" and not volume.get("ReadOnly")}
    mounts = [mount for task in group["Tasks"] for mount in task.get("VolumeMounts") or []]
    return any(mount["Volume"] in writable and not mount.get("ReadOnly") for mount in mounts)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)

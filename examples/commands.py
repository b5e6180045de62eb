"""Prints the command lines of manifests, in the order in which they run: python3 commands.py FILE.yaml...

A Kubernetes Job of several completions gives one for each index, the last one first; an Argo Workflow one for each task of
its DAG and each item of a sequence. Every line sets the shell's arrays `environment` and `arguments`.
"""

import re
import shlex
import sys

import yaml


def emit(container, environment, substitute):
    for name in ("readOnlyRootFilesystem", "allowPrivilegeEscalation"):
        wanted = name == "readOnlyRootFilesystem"
        if "securityContext" in container and container["securityContext"].get(name) is not wanted:
            sys.exit(f"{container['name']}: {name} is not {wanted}")
    if container["image"] != "cipherfold" or "command" in container:
        sys.exit("a container does not run the image's program")
    variables = {e["name"]: substitute(e["value"]) for e in container["env"]} | environment
    words = [re.sub(r"\$\((\w+)\)", lambda m: variables[m[1]], substitute(str(a))) for a in container["args"]]
    if any("{{" in w or "$(" in w for w in words):
        sys.exit(f"not substituted: {words}")
    settings = [f"{name}={value}" for name, value in variables.items()]
    print(f"environment=({shlex.join(settings)}) arguments=({shlex.join(words)})")


def job(manifest):
    """The pods of a Kubernetes Job."""
    spec = manifest["spec"]
    pod = spec["template"]["spec"]
    if pod["securityContext"]["runAsNonRoot"] is not True or pod["restartPolicy"] != "Never":
        sys.exit("a pod runs as root or restarts")
    names = {v["name"] for v in pod["volumes"]}
    (container,) = pod["containers"]
    if any(m["name"] not in names for m in container["volumeMounts"]):
        sys.exit("a mount without a volume")
    if any(r["onExitCodes"]["containerName"] != container["name"] for r in spec["podFailurePolicy"]["rules"] if "onExitCodes" in r):
        sys.exit("a rule about another container")
    if spec.get("completionMode") == "Indexed":
        if not any(f"$(JOB_COMPLETION_INDEX)/{spec['completions']}" == a for a in container["args"]):
            sys.exit("shards and completions differ")
        for index in reversed(range(spec["completions"])):
            emit(container, {"JOB_COMPLETION_INDEX": str(index)}, lambda text: text)
    else:
        emit(container, {}, lambda text: text)


def workflow(manifest):
    """The tasks of an Argo Workflow's DAG."""
    spec = manifest["spec"]
    known = {f"workflow.parameters.{p['name']}": p["value"] for p in spec["arguments"]["parameters"]}
    templates = {t["name"]: t for t in spec["templates"]}

    def substitute(values):
        return lambda text: re.sub(r"\{\{([^}]*)\}\}", lambda m: str((known | values)[m[1]]), text)

    done = set()
    tasks = templates[spec["entrypoint"]]["dag"]["tasks"]
    while len(done) < len(tasks):
        ready = [t for t in tasks if t["name"] not in done and done.issuperset(t.get("dependencies", []))]
        if not ready:
            sys.exit("the tasks wait for each other")
        for task in ready:
            done.add(task["name"])
            items = [None]
            if "withSequence" in task:
                ends = [int(substitute({})(task["withSequence"][end])) for end in ("start", "end")]
                items = range(ends[0], ends[1] + 1)
            template = templates[task["template"]]
            wanted = {p["name"] for p in template.get("inputs", {}).get("parameters", [])}
            for item in items:
                given = {p["name"]: substitute({"item": item})(p["value"]) for p in task.get("arguments", {}).get("parameters", [])}
                if given.keys() != wanted:
                    sys.exit(f"{task['name']} gives {given.keys()}, its template takes {wanted}")
                emit(template["container"], {}, substitute({f"inputs.parameters.{k}": v for k, v in given.items()}))


for file in sys.argv[1:]:
    with open(file, encoding="utf-8") as f:
        for document in yaml.safe_load_all(f):
            {"Job": job, "Workflow": workflow}[document["kind"]](document)

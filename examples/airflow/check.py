"""Prints the commands of the DAG's tasks in the order of their dependencies: python3 check.py

With Airflow installed it is Airflow that reads the DAG; otherwise stand-ins for the three names that it imports do.
"""

import importlib.util
import pathlib
import sys
import types


class Task:
    """What the DAG does with a BashOperator."""

    def __init__(self, task_id, bash_command):
        self.task_id, self.bash_command, self.upstream = task_id, bash_command, []
        DAG.current.tasks.append(self)

    def __rshift__(self, other):
        for task in other if isinstance(other, list) else [other]:
            task.upstream.append(self)
        return other

    def __rrshift__(self, others):
        self.upstream.extend(others)
        return self


class DAG:
    """What the DAG file does with a DAG."""

    current = None

    def __init__(self, dag_id, start_date, schedule, catchup, max_active_runs, default_args):
        self.tasks, self.default_args = [], default_args
        if set(default_args["env"]) != {"WORK", "DATA", "JOB", "DATE"} or not default_args["append_env"]:
            sys.exit("the tasks do not get what nightly.toml takes from the environment")

    def __enter__(self):
        DAG.current = self
        return self

    def __exit__(self, *_):
        DAG.current = None


def load():
    try:
        import airflow  # noqa: F401
    except ImportError:
        print("Airflow is not installed: the DAG is read with stand-ins for it", file=sys.stderr)
        for name in ("airflow", "airflow.operators", "airflow.operators.bash"):
            sys.modules[name] = types.ModuleType(name)
        sys.modules["airflow"].DAG = DAG
        sys.modules["airflow.operators.bash"].BashOperator = Task
    spec = importlib.util.spec_from_file_location("nightly", pathlib.Path(__file__).with_name("cipherfold_nightly.py"))
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode = True
    spec.loader.exec_module(module)
    return module.dag


def upstream(task):
    """The ids of the tasks that a task waits for, of Airflow's or of ours."""
    found = getattr(task, "upstream_task_ids", None)
    return set(found) if found is not None else {t.task_id for t in task.upstream}


done = set()
tasks = list(load().tasks)
while len(done) < len(tasks):
    ready = [t for t in tasks if t.task_id not in done and upstream(t) <= done]
    if not ready:
        sys.exit("the tasks wait for each other")
    for task in reversed(ready):
        done.add(task.task_id)
        print(task.bash_command)

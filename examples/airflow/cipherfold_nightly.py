"""The nightly job as an Airflow DAG: plan, shards side by side, merge.

Put it into the DAGs folder, with nightly.toml where the workers see it. Three Airflow variables: cipherfold_work, a directory
that all workers share; cipherfold_data, where the source is; cipherfold_job, the job file. A task that fails is tried
again, and goes on with what is left to do. With the OpenLineage provider installed, the events of the tasks have those of
this DAG as their parents.
"""

from datetime import datetime, timedelta

from airflow import DAG

try:
    from airflow.providers.standard.operators.bash import BashOperator  # Airflow 3
except ImportError:
    from airflow.operators.bash import BashOperator  # Airflow 2

SHARDS = 4

with DAG(
    dag_id="cipherfold_nightly",
    start_date=datetime(2026, 1, 1),
    schedule="0 1 * * *",
    catchup=False,
    max_active_runs=1,
    default_args={
        "retries": 3,
        "retry_delay": timedelta(minutes=5),
        "append_env": True,
        "env": {
            "WORK": "{{ var.value.cipherfold_work }}",
            "DATA": "{{ var.value.cipherfold_data }}",
            "JOB": "{{ var.value.cipherfold_job }}",
            "DATE": "{{ ds }}",
        },
    },
) as dag:
    plan = BashOperator(task_id="plan", bash_command=f'cipherfold plan "$JOB" --shards {SHARDS}')
    shards = [
        BashOperator(
            task_id=f"shard_{i}",
            bash_command=f'cipherfold shard "$JOB" {i}/{SHARDS} --threads 2 --log-format json --lineage "$WORK/lineage.jsonl"',
        )
        for i in range(1, SHARDS + 1)
    ]
    merge = BashOperator(
        task_id="merge",
        bash_command='cipherfold merge "$JOB" --log-format json --lineage "$WORK/lineage.jsonl"',
    )
    plan >> shards >> merge

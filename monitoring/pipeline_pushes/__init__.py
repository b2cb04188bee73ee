"""What a pipeline's run leaves at a Pushgateway, where Prometheus reads it after the run is gone.

A run is over before anybody could scrape it, so at its end it pushes outcome, duration and what it measured into one
group a pipeline: ``job="pipeline", pipeline="training"``. A group is not made for a run: the next run of the pipeline
replaces it, and when a pipeline is retired, ``python -m monitoring.pipeline_pushes delete NAME`` ends it. A Pushgateway
forgets nothing by itself, so without that its last run would be reported for ever.
"""

from monitoring.pipeline_pushes.push import push_run
from monitoring.pipeline_pushes.run_metrics import EvaluationValue, RunMetrics

__all__ = ["EvaluationValue", "RunMetrics", "push_run"]

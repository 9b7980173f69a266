"""Processor, memory and disk use of a run, beside its other metrics."""

from collections.abc import Iterator
from contextlib import contextmanager

from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

from sentiment_rnn.tracking.run import TrackedRun


@contextmanager
def monitored(run: TrackedRun, wanted: bool) -> Iterator[None]:
    """Record the use of the machine within the block, where that is wanted."""
    monitor = Monitor(run) if wanted else None
    try:
        if monitor:
            monitor.start()
        yield
    finally:
        if monitor:
            monitor.finish()


class Monitor(SystemMetricsMonitor):
    """MLflow's monitor, whose numbers take the way of all that the run records.

    MLflow's own asks the server after each sample whether the run goes on, and ends where that does not answer.
    """

    def __init__(self, run: TrackedRun, seconds: float = 5) -> None:
        super().__init__(run.run_id, sampling_interval=seconds, tracking_uri=run.store.uri)
        self.run = run
        self._logging_step = run.next_sample

    def monitor(self) -> None:
        """Collect and record until `finish`."""
        while True:
            for _ in range(self.samples_before_logging):
                self.collect_metrics()
                if self._shutdown_event.wait(self.sampling_interval):
                    return
            self.publish_metrics(self.aggregate_metrics())

    def publish_metrics(self, metrics: dict[str, float]) -> None:
        """Record what was collected."""
        prefix = self._metrics_prefix + (f"{self.node_id}/" if self.node_id else "")
        self.run.log_metrics({prefix + name: value for name, value in metrics.items()}, self._logging_step)
        self._logging_step += 1
        for monitor in self.monitors:
            monitor.clear_metrics()

"""Processor, memory and disk use of a run, beside its other metrics."""

from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor
from mlflow.utils.time import get_current_time_millis

from sentiment_rnn.errors import UserError
from sentiment_rnn.tracking.record import RunRecord


class Monitor(SystemMetricsMonitor):
    """MLflow's monitor, whose numbers take the way of all that the run records.

    MLflow's own asks the server after each sample whether the run goes on, and ends where that does not answer.
    """

    def __init__(self, record: RunRecord, seconds: float = 5) -> None:
        super().__init__(record.run_id, sampling_interval=seconds, tracking_uri=record.store.uri)
        self.record = record
        self._logging_step = record.next_sample

    def monitor(self) -> None:
        """Collect and record until `finish`."""
        while True:
            for _ in range(self.samples_before_logging):
                self.collect_metrics()
                if self._shutdown_event.wait(self.sampling_interval):
                    return
            try:
                self.publish_metrics(self.aggregate_metrics())
            except (OSError, UserError):  # a full disk: the run itself meets it, and says so
                return

    def publish_metrics(self, metrics: dict[str, float]) -> None:
        """Record what was collected."""
        prefix = self._metrics_prefix + (f"{self.node_id}/" if self.node_id else "")
        time, step = get_current_time_millis(), self._logging_step
        self.record.metrics([(prefix + name, float(value), time, step) for name, value in metrics.items()])
        self._logging_step += 1
        for monitor in self.monitors:
            monitor.clear_metrics()

"""Jobs of a sweep in processes of their own: the first module of the runs that such a process loads.

A worker ends with its launcher, however that ends: it waits at a pipe that the system closes when the launcher is gone.
A worker that is killed takes no other with it, since each is a pool of its own.
"""

import gc
import logging
import os
import re
import signal
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from importlib import import_module
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, filter_overrides
from joblib.externals.loky.process_executor import ProcessPoolExecutor, TerminatedWorkerError

from sentiment_rnn.errors import UserError
from sentiment_rnn.runs.interruption import SIGNALS, Interruption

TRIES = 3
"""How often a job is started whose worker is killed."""
IDLE_SECONDS = 300
"""After which a worker without a job ends, and gives its memory back."""
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""Variables of libraries, each of which would take every core in every worker."""
log = logging.getLogger("sentiment_rnn")
ASKS_TO_END = signal.SIGUSR2
"""The signal by which a worker asks its run to end. A second one would end it without a checkpoint."""
RESULT_SECONDS = 1
"""In which a result reaches the launcher."""
launcher_ended = threading.Event()
"""In a worker: set when its launcher has ended, or asks it to end."""
has_job = threading.Event()
"""In a worker: set while it runs a job."""


class Workers:
    """Worker processes, which keep their libraries from one launch to the next.

    Args:
        needs: what every job gets of Hydra: its context, the sweep's configuration, and the function to run.
    """

    def __init__(self, needs: tuple[Any, ...]) -> None:
        self.needs = needs
        self.reader, self.writer = Pipe(duplex=False)
        self.gpu_of: dict[ProcessPoolExecutor, str] = {}
        self.idle: list[ProcessPoolExecutor] = []
        self.running: dict[Future[JobReturn], tuple[int, ProcessPoolExecutor]] = {}

    def launch(
        self, jobs: Sequence[Sequence[str]], first: int, at_once: int, threads: int, gpus: Sequence[str] = ()
    ) -> list[JobReturn]:
        """Run jobs by their overrides; of each what it returned, or the exception that ended it.

        A job whose worker is killed is tried again when all others have begun, `TRIES` times in all.

        Args:
            first: number of the first job.
            threads: of a library in each worker, unless the user has said how many.
            gpus: of which each worker sees one, that which the fewest others see.
        """
        log.info("Launching %d jobs, %d at once", len(jobs), at_once)
        for number, overrides in enumerate(jobs, first):
            log.info("\t#%d : %s", number, " ".join(filter_overrides(overrides)))

        def failed(job: int, error: BaseException) -> JobReturn:
            return JobReturn(jobs[job], status=JobStatus.FAILED, _return_value=error)

        waiting, tries = deque(range(len(jobs))), Counter[int]()
        returned: dict[int, JobReturn] = {}
        state = Singleton.get_state()
        try:
            with Interruption():
                while waiting or self.running:
                    while waiting and len(self.running) < at_once:
                        job = waiting.popleft()
                        self._start(job, (first + job, jobs[job], *self.needs, state), threads, gpus)
                    for future in wait(self.running, return_when=FIRST_COMPLETED).done:
                        job, worker = self.running.pop(future)
                        error = future.exception()
                        if error is None:
                            returned[job] = future.result()
                            self.idle.append(worker)
                            continue
                        if not isinstance(error, TerminatedWorkerError | KeyboardInterrupt | SystemExit):
                            returned[job] = failed(job, error)  # of its own, which pickle cannot send
                            continue
                        tries[job] += 1
                        again = tries[job] < TRIES
                        what = "it is tried again" if again else f"given up after {TRIES} tries"
                        log.warning("job #%d: its process was killed%s; %s", first + job, _signal_in(error), what)
                        if again:
                            waiting.append(job)
        except BaseException:
            self._stop()
            raise
        lost = UserError(
            f"{len(jobs) - len(returned)} of {len(jobs)} runs are missing, since their processes were killed (is there "
            "enough memory?); the same command runs them again"
        )
        return [returned.get(job) or failed(job, lost) for job in range(len(jobs))]

    def _start(self, job: int, arguments: tuple[Any, ...], threads: int, gpus: Sequence[str]) -> None:
        try:
            worker = self.idle.pop()
            future = worker.submit(run_job, *arguments)
        except (IndexError, TerminatedWorkerError):  # no idle worker, or one that was killed
            env = {name: os.environ.get(name, str(threads)) for name in THREADS}
            if gpus:
                workers = (*self.idle, *(worker for _, worker in self.running.values()))
                env["CUDA_VISIBLE_DEVICES"] = min(gpus, key=[self.gpu_of[worker] for worker in workers].count)
            worker = ProcessPoolExecutor(
                1,
                timeout=IDLE_SECONDS,
                env=env,
                initializer=end_with_launcher,
                initargs=(self.reader,),
            )
            self.gpu_of[worker] = env.get("CUDA_VISIBLE_DEVICES", "")
            future = worker.submit(run_job, *arguments)
        self.running[future] = job, worker

    def _stop(self) -> None:
        """End all workers, when their runs have written their checkpoints; at another signal at once."""
        if count := sum(not future.done() for future in self.running):
            log.warning("waiting until the %d that run have written a checkpoint; once more ends them at once", count)
        self.writer.close()
        try:
            with Interruption():
                wait(self.running)
        finally:
            for worker in [*self.idle, *(worker for _, worker in self.running.values())]:
                worker.shutdown(kill_workers=True)


def _signal_in(killed: BaseException) -> str:
    """The signal that joblib names in its error, in brackets."""
    found = re.search(r"\{(SIG\w+)", str(killed))
    return f" ({found[1]})" if found else ""


def end_with_launcher(pipe: Connection) -> None:
    """Have this process, a worker, end when the other end of the pipe is closed. A run writes its checkpoint first, and
    a result that is on its way arrives: the launcher would wait for ever for the rest of a half."""
    for number in {*SIGNALS} - {ASKS_TO_END}:  # a terminal and a scheduler also send theirs to the launcher, which asks
        signal.signal(number, signal.SIG_IGN)
    signal.signal(ASKS_TO_END, _end_job)
    threading.Thread(target=_wait_and_end, args=(pipe,), daemon=True).start()


def _wait_and_end(pipe: Connection) -> None:
    pipe.poll(None)
    launcher_ended.set()
    os.kill(os.getpid(), ASKS_TO_END)
    time.sleep(RESULT_SECONDS)
    if not has_job.is_set():
        os._exit(130)


def _end_job(_: int, frame: FrameType | None) -> None:
    """End a job, in the main thread; `Interruption` calls it without a frame once the run has written a checkpoint."""
    if frame is None:
        raise KeyboardInterrupt
    if has_job.is_set():
        os._exit(130)


def run_job(*arguments: Any) -> JobReturn:
    """Run one job as Hydra's plugin for joblib does."""
    from hydra_plugins.hydra_joblib_launcher._core import execute_job

    has_job.set()
    try:
        returned: JobReturn = execute_job(*arguments)
        return returned
    finally:
        if launcher_ended.is_set():
            os._exit(130)  # nobody waits for what it returns
        has_job.clear()


def made_in_job(module: str, name: str) -> Any:
    """An object of a class whose module brings torch, Lightning and MLflow along.

    Python looks for garbage among them when they are there, not while they load, as `sentiment-rnn train` itself does.
    """
    if module not in sys.modules:
        gc.disable()  # until `environment.libraries_are_loaded`, which every job calls
    return getattr(import_module(module), name)()

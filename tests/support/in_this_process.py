"""An engine for tests that runs verbs in this process, where TensorFlow is imported already."""

from yt8m_kit.cli.main import main
from yt8m_kit.pipeline.engines.task import Outcome, Task


class InThisProcess:
    """An engine that holds up to three started tasks, and runs the last one when asked what has ended."""

    shows_output = False

    def __init__(self):
        self.started: list[Task] = []
        self.order: list[str] = []
        self.most = 0

    def slots(self, verb):
        return 3

    def is_free(self):
        return len(self.started) < 3

    def start(self, task):
        busy = [each.stage.run.path for each in self.started if not (each.part and task.part)]
        assert task.stage.run.path not in busy, "one stage at a time in a run"
        assert not any(each.stage.main in {need.main for need in task.stage.needs} for each in self.started)
        self.started.append(task)
        self.most = max(self.most, len(self.started))

    def finished(self, seconds):
        task = self.started.pop()
        self.order.append(" ".join(task.words))
        return [(task, Outcome(main(task.command), "its own sentence"))]

    def stop(self, number):
        assert not self.started

"""What Orbit drives: a Keras model's ``train_step`` on every replica, until somebody wants the machine back."""

from collections.abc import Callable

import keras
import orbit
import tensorflow as tf

from tsnet_tf.training import stopping
from tsnet_tf.training.profiler import Profiler


class Trainer(orbit.StandardTrainer):
    """``model.train_step`` on every replica, ``steps_per_call`` times a call, as long as ``stops`` does not say no."""

    def __init__(
        self,
        model: keras.Model,
        dataset,
        step: tf.Variable,
        strategy: tf.distribute.Strategy,
        report_every: int,
        stops: Callable[[], bool],
        profiler: Profiler,
        steps_per_call: int,
    ):
        super().__init__(dataset, orbit.StandardTrainerOptions(use_tf_function=True, use_tf_while_loop=False))
        self.steps_done, self.is_tracing = 0, False
        self.began: Callable[[int], None] = lambda steps: None  # told of the first steps, which compile as well
        self._model, self._step, self._strategy = model, step, strategy
        self._report_every, self._stops, self._profiler = report_every, stops, profiler
        # What the profiler is to see has to be a call of its own.
        self._steps_per_call = 1 if profiler.wanted else steps_per_call

    def create_train_loop_fn(self) -> Callable:
        # Autograph would take seconds to find no control flow over tensors.
        train_step = tf.function(self.train_step, autograph=False)
        train_steps = tf.function(self.train_steps, autograph=False)

        def loop(iterator, steps: tf.Tensor) -> None:
            left = int(steps)
            while left:
                if self._stops():
                    raise stopping.Stopped
                count = min(left, self._steps_per_call)
                if self._steps_per_call == 1:
                    self._profiler.run(train_step, iterator)
                else:
                    train_steps(iterator, tf.constant(count))
                if not self.steps_done:
                    self.began(count)
                self.steps_done += count
                left -= count

        return loop

    def train_loop_begin(self) -> None:
        if int(self._step) % self._report_every == 0:  # else a run goes on that was stopped between two reports
            self._model.reset_metrics()

    def train_step(self, iterator) -> None:
        self.is_tracing = True  # Python comes here for nothing else
        try:
            self._strategy.run(self._model.train_step, args=(next(iterator),))
            self._step.assign_add(1)
        finally:
            self.is_tracing = False

    def train_steps(self, iterator, count: tf.Tensor) -> None:
        """``count`` steps in a loop of the graph: Python, and on several hosts the others, are asked once for all."""

        def one(done: tf.Tensor) -> tf.Tensor:
            self.train_step(iterator)
            return done + 1

        tf.while_loop(lambda done: done < count, one, [tf.constant(0)], parallel_iterations=1)

    def train_loop_end(self) -> dict[str, float]:
        # What was not measured at all has no mean, such as what says about alpha while it is frozen.
        means = [mean for mean in self._model.metrics if tf.convert_to_tensor(mean.count) > 0]
        return {mean.name: float(mean.result()) for mean in means}

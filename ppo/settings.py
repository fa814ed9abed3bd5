"""Settings of the learner, group `ppo` of the configuration."""

from dataclasses import dataclass

from mjx_arena.validation import checker

ACTIVATIONS = ("tanh", "elu", "swish", "relu")
OPTIMIZERS = ("adam", "muon")
SCHEDULES = ("fixed", "linear", "adaptive")


@dataclass(frozen=True)
class PPOSettings:
    """Settings of one learner: its rollouts, its loss, its optimiser and its networks."""

    horizon: int = 24  # control steps in one rollout of an arena
    epochs: int = 2  # passes over the rollout in each iteration
    num_minibatches: int = 6  # minibatches in each epoch; must divide the samples that each device gathers
    minibatch_size: int | None = None  # samples of a minibatch, over all devices, in place of num_minibatches
    gamma: float = 0.995  # discount per control step
    gae_lambda: float = 0.95  # lambda of generalised advantage estimation
    clip_epsilon: float = 0.2  # clip range of the probability ratio; also of the value, with clip_value_loss
    clip_value_loss: bool = False  # clip the change of the value in its loss, as in the first PPO code
    value_coefficient: float = 1.0  # weight of the value loss
    entropy_coefficient: float = 0.001  # weight of the entropy bonus
    bound_coefficient: float = 0.01  # weight of the squared distance by which mean controls leave [-1, 1]
    max_grad_norm: float = 1.0  # the gradient is scaled down to this global norm where it is larger
    normalize_advantage: bool = True  # scale advantages to mean 0 and variance 1 over an iteration
    optimizer: str = "muon"  # muon makes the steps of weight matrices orthogonal, and leaves the rest to adam; or adam
    learning_rate: float = 1e-3  # of the optimiser, at the start
    learning_rate_schedule: str = "adaptive"  # fixed, linear (to 0 at the end), or adaptive (follows target_kl)
    learning_rate_min: float = 1e-5  # lower bound of the adaptive schedule
    learning_rate_max: float = 1e-2  # upper bound of the adaptive schedule
    target_kl: float = 0.02  # KL divergence in an iteration's last epoch that the adaptive schedule aims at, in nats
    target_kl_decay: float = 0.0  # last share of the run, in which target_kl falls to 0 so that policies settle
    stop_kl: float | None = None  # KL divergence in nats above which an iteration makes no more updates; null: no limit
    actor_hidden: tuple[int, ...] = (128, 128)  # units in each hidden layer of the actor
    critic_hidden: tuple[int, ...] = (128, 128)  # units in each hidden layer of the critic
    activation: str = "tanh"  # of the hidden layers: tanh, elu, swish or relu
    initial_log_std: float = -0.7  # log standard deviation of untrained continuous policies
    min_log_std: float = -1.6  # lower bound of the log standard deviation
    max_log_std: float = 0.5  # upper bound of the log standard deviation
    symmetry: bool = True  # learn from a random half of the samples as they look in a mirror, in games that have one
    max_skipped_iterations: int = 20  # consecutive iterations without a finite update after which the run stops

    def minibatches(self, samples: int) -> int:
        """Returns how many minibatches an epoch over `samples`, those of all devices, has."""
        return self.num_minibatches if self.minibatch_size is None else max(samples // self.minibatch_size, 1)

    def validate(self, prefix: str = "ppo") -> None:
        """Raises SettingError for the first value that is wrong."""
        check = checker(self, prefix)
        for key in ("horizon", "epochs", "num_minibatches", "max_skipped_iterations"):
            check(getattr(self, key) >= 1, key, "must be at least 1")
        size = self.minibatch_size
        check(size is None or size >= 1, "minibatch_size", "must be at least 1, or null for ppo.num_minibatches")
        for key in ("gamma", "gae_lambda", "target_kl_decay"):
            check(0 <= getattr(self, key) <= 1, key, "must lie between 0 and 1")
        for key in ("clip_epsilon", "max_grad_norm", "learning_rate", "target_kl"):
            check(getattr(self, key) > 0, key, "must be positive")
        for key in ("value_coefficient", "entropy_coefficient", "bound_coefficient"):
            check(getattr(self, key) >= 0, key, "must not be negative")
        check(self.optimizer in OPTIMIZERS, "optimizer", f"must be one of {', '.join(OPTIMIZERS)}")
        check(
            self.learning_rate_schedule in SCHEDULES, "learning_rate_schedule", f"must be one of {', '.join(SCHEDULES)}"
        )
        check(
            0 < self.learning_rate_min <= self.learning_rate_max,
            "learning_rate_min",
            "must be positive and at most ppo.learning_rate_max",
        )
        adaptive = self.learning_rate_schedule == "adaptive"
        check(adaptive or not self.target_kl_decay, "target_kl_decay", "goes with ppo.learning_rate_schedule=adaptive")
        check(self.stop_kl is None or self.stop_kl > 0, "stop_kl", "must be positive, or null for never")
        for key in ("actor_hidden", "critic_hidden"):
            check(all(size >= 1 for size in getattr(self, key)), key, "every layer needs at least 1 unit")
        check(self.activation in ACTIVATIONS, "activation", f"must be one of {', '.join(ACTIVATIONS)}")
        check(self.min_log_std <= self.max_log_std, "min_log_std", "must be at most ppo.max_log_std")

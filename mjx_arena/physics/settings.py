"""Settings of the physics engines, group `physics` of the configuration."""

from dataclasses import dataclass, field

from mjx_arena.physics.engine import Engine, engine_named
from mjx_arena.validation import require


@dataclass(frozen=True)
class ModelSettings:
    """Overrides of the task's own model options; None keeps what the task chose."""

    timestep: float | None = None  # s
    iterations: int | None = None  # of the constraint solver
    ls_iterations: int | None = None  # of its line search

    def validate(self, prefix: str = "physics.model") -> None:
        for key in ("timestep", "iterations", "ls_iterations"):
            value = getattr(self, key)
            require(
                value is None or value > 0, f"{prefix}.{key}", value, "must be positive, or null for the task's own"
            )


@dataclass(frozen=True)
class PhysicsSettings:
    engine: str = "mjx"
    block_size: int = 64  # arenas that the engine mjx steps together; blocks run one after another on each CPU device
    max_contacts: int | None = None  # room of the engine warp for contacts of an arena; None: for all that can be
    max_constraints: int | None = None  # and for rows of constraints
    model: ModelSettings = field(default_factory=ModelSettings)  # overrides of what the task chose; null keeps it

    @property
    def traits(self) -> type[Engine]:
        """What is true of the engine. Raises SettingError for one that is not there."""
        return engine_named(self.engine)

    @property
    def on_host(self) -> bool:
        """The engine is called by one device's program and uses every core itself."""
        return self.traits.runs_on_host

    @property
    def wanted_block(self) -> int | None:
        """Arenas to step together; None for all of them."""
        return self.traits.vmap_block_size(self)

    def validate(self, prefix: str = "physics") -> None:
        engine_named(self.engine, f"{prefix}.engine")
        require(self.block_size > 0, f"{prefix}.block_size", self.block_size, "must be at least 1")
        for key in ("max_contacts", "max_constraints"):
            value = getattr(self, key)
            require(value is None or value > 0, f"{prefix}.{key}", value, "must be positive, or null for all")
        self.model.validate(f"{prefix}.model")

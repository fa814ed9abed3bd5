"""Settings of the physics engines, group `physics` of the configuration."""

from dataclasses import dataclass, field

from mjx_arena.physics.engine import Engine, engine_named
from mjx_arena.validation import require


@dataclass(frozen=True)
class ModelSettings:
    """Overrides of the options of the task's model; None keeps what the task chose."""

    timestep: float | None = None  # s of an engine step; null: the task's own
    iterations: int | None = None  # iterations of the constraint solver; null: the task's own
    ls_iterations: int | None = None  # iterations of the solver's line search; null: the task's own

    def validate(self, prefix: str = "physics.model") -> None:
        for key in ("timestep", "iterations", "ls_iterations"):
            value = getattr(self, key)
            require(
                value is None or value > 0, f"{prefix}.{key}", value, "must be positive, or null for the task's own"
            )


@dataclass(frozen=True)
class PhysicsSettings:
    """The choice of an engine, and its settings."""

    engine: str = "mjx"  # mjx, warp or native
    block_size: int = 64  # arenas that the engine mjx steps together; on each CPU device one block follows another
    max_contacts: int | None = None  # contacts per arena that the engine warp has room for; null: all that can be
    max_constraints: int | None = None  # constraint rows per arena that the engine warp has room for; null: all
    model: ModelSettings = field(default_factory=ModelSettings)  # overrides of the model options that the task chose

    @property
    def traits(self) -> type[Engine]:
        """Returns the class of the engine, which holds its traits. Raises SettingError for an unknown engine."""
        return engine_named(self.engine)

    @property
    def one_device(self) -> bool:
        """Returns whether only a program of one device may use the engine, which then uses every core itself."""
        return self.traits.one_device()

    @property
    def wanted_block(self) -> int | None:
        """Returns how many arenas to step together; None for all of them."""
        return self.traits.vmap_block_size(self)

    def validate(self, prefix: str = "physics") -> None:
        engine_named(self.engine, f"{prefix}.engine")
        require(self.block_size > 0, f"{prefix}.block_size", self.block_size, "must be at least 1")
        for key in ("max_contacts", "max_constraints"):
            value = getattr(self, key)
            require(value is None or value > 0, f"{prefix}.{key}", value, "must be positive, or null for all")
        self.model.validate(f"{prefix}.model")

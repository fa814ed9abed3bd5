# MuJoCo's classes come from compiled modules that type checkers cannot read.
from typing import Any

def __getattr__(name: str) -> Any: ...

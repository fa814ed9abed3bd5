#!/usr/bin/env bash
# Behaviour: `import mujoco` fails where MUJOCO_GL names a platform that does not exist. A second `import mujoco` in the
#   same process then succeeds (the variable unset in between), but the package that it gives is not whole: submodules
#   that the first attempt had loaded, such as `mujoco._enums`, are in sys.modules and are no attributes of the package.
#   So `from mujoco import mjx` fails later, in code that has nothing to do with pictures.
# Guess before running it: the second import is like a first one.
# Versions: mujoco 4.0.0 (3.17.0 alike), Python 3.11. Date: 2026-11-29. Source: running it; CPython keeps submodules of a
#   package whose own import has failed in sys.modules.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check mujoco==4.0.0 numpy==2.4.6
cd "$folder"
MUJOCO_GL=nonsense venv/bin/python - <<'PYTHON'
import os, sys
try:
    import mujoco
except Exception as error:
    print("first import:", type(error).__name__, str(error).splitlines()[0])
del os.environ["MUJOCO_GL"]
import mujoco
whole, loaded = hasattr(mujoco, "_enums"), "mujoco._enums" in sys.modules
print(f"second import: version {mujoco.__version__}, _enums loaded {loaded}, an attribute of the package {whole}")
sys.exit(0 if loaded and not whole else 1)
PYTHON

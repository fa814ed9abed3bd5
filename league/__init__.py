import mjx_arena as mjx_arena  # before all that imports MuJoCo, see `mjx_arena.opengl`

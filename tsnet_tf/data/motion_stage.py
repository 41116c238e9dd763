"""Meta-World's environment of one task, with its expert and a camera (the extra ``[motion]``)."""

from __future__ import annotations

import os
import warnings

import numpy as np

from tsnet_tf.data.motion_episode import Episode, perform
from tsnet_tf.data.motion_look import Look
from tsnet_tf.errors import UserError

_UNSET = (0.5, 0.5, 0.5, 1.0)  # a surface of this colour has that of its material


def check_installed() -> None:
    """Raises a `UserError` that says what to install, if the simulator or the library that draws is missing."""
    # MuJoCo draws without a display by Mesa's off-screen library, unless told otherwise; read when it is imported.
    os.environ.setdefault("MUJOCO_GL", "osmesa")
    os.environ.setdefault("PYOPENGL_PLATFORM", os.environ["MUJOCO_GL"])
    os.environ.setdefault("LP_NUM_THREADS", "1")  # one process per core instead
    try:
        import metaworld  # noqa: F401
        import mujoco
    except ModuleNotFoundError as error:
        raise UserError(
            f"expected the extra [motion] (pip install -c constraints.txt -e '.[motion]', or make motion-data), "
            f"found no module named {error.name}"
        ) from None
    except (ImportError, AttributeError, OSError, RuntimeError) as error:
        raise UserError(_cannot_draw(error)) from None
    try:
        mujoco.GLContext(8, 8).free()
    except Exception as error:  # whatever PyOpenGL says when the library is not there
        raise UserError(_cannot_draw(error)) from None


class Stage:
    """One task, ready to be performed and filmed.

    Args:
      task: one of `tsnet_tf.data.motion_tasks.TASKS`.
      size: side of the frames, pixels.
    """

    def __init__(self, task: str, size: int):
        check_installed()
        warnings.filterwarnings("ignore", message="Constant.s. may be too high")  # the experts', at every step
        import mujoco
        from metaworld.env_dict import ALL_V3_ENVIRONMENTS
        from metaworld.policies import ENV_POLICY_MAP

        name = f"{task}-v3"
        self._mujoco, self._expert, self._size = mujoco, ENV_POLICY_MAP[name], size
        self._environment = environment = ALL_V3_ENVIRONMENTS[name]()
        # A new task at every reset, by the environment's own seed, and experts see the goal.
        environment._freeze_rand_vec, environment.seeded_rand_vec, environment._set_task_called = False, True, True
        environment._partially_observable = False
        environment.__dict__.pop("sawyer_observation_space", None)  # has been made for a hidden goal
        self._place = np.array(environment.hand_init_pos, np.float64)
        self._model = model = environment.model
        self._shown = mujoco.MjData(model)
        unset = np.all(np.isclose(model.geom_rgba, _UNSET), axis=1) & (model.geom_matid >= 0)
        self._colors = np.where(unset[:, None], model.mat_rgba[model.geom_matid], model.geom_rgba)
        self._lamps = model.light_diffuse.copy(), model.light_pos.copy(), model.vis.headlight.diffuse.copy()
        model.vis.quality.offsamples = 0
        model.vis.global_.offwidth = model.vis.global_.offheight = size
        self._renderer = mujoco.Renderer(model, size, size)
        self._option = mujoco.MjvOption()
        self._option.sitegroup[:] = 0  # markers of goals would tell the class in one frame

    def perform(self, random: np.random.Generator) -> Episode | None:
        """Lets the expert do the task once; None if it failed."""
        return perform(self._environment, self._expert(), self._place, random)

    def film(self, states: np.ndarray, look: Look) -> np.ndarray:
        """Draws the states [frames, coordinates] of the last episode: RGB, uint8 [frames, size, size, 3]."""
        mujoco, model = self._mujoco, self._model
        tints = look.tints[: len(self._colors)]
        model.geom_rgba[:, :3] = (1.0 - look.tint_share) * self._colors[:, :3] + look.tint_share * tints
        model.geom_rgba[:, 3] = self._colors[:, 3]
        diffuse, position, headlight = self._lamps
        model.light_diffuse[:] = diffuse * look.light
        model.light_pos[:] = position + look.light_shift
        model.vis.headlight.diffuse[:] = headlight * look.light
        camera = mujoco.MjvCamera()
        camera.type = mujoco.mjtCamera.mjCAMERA_FREE
        frames = np.empty((len(states), self._size, self._size, 3), np.uint8)
        for index, state in enumerate(states):
            share = index / max(1, len(states) - 1)
            camera.lookat[:] = _between(look.target, share)
            camera.distance = _between(look.distance, share)
            camera.azimuth = _between(look.azimuth, share)
            camera.elevation = _between(look.elevation, share)
            self._shown.qpos[:] = state
            mujoco.mj_kinematics(model, self._shown)
            mujoco.mj_camlight(model, self._shown)
            self._renderer.update_scene(self._shown, camera, self._option)
            for costly in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION):
                self._renderer.scene.flags[costly] = False
            frames[index] = self._renderer.render()
        return frames

    def close(self) -> None:
        """Frees what drawing needs."""
        self._renderer.close()


def _between(ends: np.ndarray, share: float) -> np.ndarray:
    return ends[0] + share * (ends[1] - ends[0])


def _cannot_draw(error: BaseException) -> str:
    return (
        f"expected a library that draws without a display (Debian's libosmesa6; or MUJOCO_GL=egl), found with "
        f"MUJOCO_GL={os.environ['MUJOCO_GL']}: {error}"
    )

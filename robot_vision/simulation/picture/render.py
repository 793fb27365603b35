"""Rendering: colour, exact depth and which item each pixel shows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, Int32, UInt8

from robot_vision.core.errors import MissingDependencyError
from robot_vision.simulation.picture.gl import APT_LINE, MjData, MjModel, mujoco
from robot_vision.simulation.picture.scene import FAR_M, NEAR_M, Scene

NO_ITEM = -1


@dataclass(frozen=True, kw_only=True, eq=False)
class Rendering:
    """An ideal picture: `depth_m` along the axis, `item_index` is `NO_ITEM` for the rest."""

    rgb: UInt8[np.ndarray, "h w 3"]
    depth_m: Float32[np.ndarray, "h w"]
    item_index: Int32[np.ndarray, "h w"]


def open_renderer(model: MjModel, *, size_px: tuple[int, int]) -> Any:
    """MuJoCo's renderer; raises `MissingDependencyError` saying what to install if OpenGL does
    not open."""
    try:
        return mujoco.Renderer(model, height=size_px[1], width=size_px[0])
    except (ImportError, RuntimeError, AttributeError, mujoco.FatalError) as error:
        raise MissingDependencyError(
            f"cannot open headless OpenGL ({error}); on Debian or Ubuntu: {APT_LINE}; "
            "MUJOCO_GL=egl or MUJOCO_GL=osmesa chooses one of the two"
        ) from error


class SceneRenderer:
    """Renders one scene at one size; a context manager, as it owns GL buffers."""

    def __init__(self, scene: Scene, *, size_px: tuple[int, int]) -> None:
        self._scene = scene
        self._size_px = size_px
        self._renderer = open_renderer(scene.model, size_px=size_px)
        self._exact_context = _open_exact_context(scene.model)
        self._item_of_body = np.full(scene.model.nbody, NO_ITEM, np.int32)
        for index, item in enumerate(scene.items):
            self._item_of_body[item.body_id] = index

    def __enter__(self) -> "SceneRenderer":
        return self

    def __exit__(self, *_: object) -> None:
        self._exact_context.free()
        self._renderer.close()

    def upload_textures(self) -> None:
        """Send the model's textures to the driver after they were repainted."""
        for texture in range(self._scene.model.ntex):
            mujoco.mjr_uploadTexture(self._scene.model, self._context, texture)

    def render(self, data: MjData, *, shadows: bool) -> Rendering:
        """The scene in state `data` (its kinematics computed) as the model's camera sees it."""
        mujoco.mj_camlight(self._scene.model, data)
        self._renderer.update_scene(data, camera="camera")
        flags = self._renderer.scene.flags
        flags[mujoco.mjtRndFlag.mjRND_SHADOW] = shadows
        flags[mujoco.mjtRndFlag.mjRND_SEGMENT] = False
        rgb, _ = self._draw(self._context)
        flags[mujoco.mjtRndFlag.mjRND_SEGMENT] = True
        flags[mujoco.mjtRndFlag.mjRND_IDCOLOR] = True
        code, depth = self._draw(self._exact_context)
        return Rendering(rgb=rgb, depth_m=metres(depth), item_index=self._items(code))

    @property
    def _context(self) -> Any:
        return self._renderer._mjr_context  # the only access to textures

    def _draw(self, context: Any) -> tuple[np.ndarray, np.ndarray]:
        width_px, height_px = self._size_px
        view = mujoco.MjrRect(0, 0, width_px, height_px)
        color = np.empty((height_px, width_px, 3), np.uint8)
        depth = np.empty((height_px, width_px), np.float32)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, context)
        mujoco.mjr_render(view, self._renderer.scene, context)
        mujoco.mjr_readPixels(color, depth, view, context)
        return np.ascontiguousarray(color[::-1]), np.ascontiguousarray(depth[::-1])

    def _items(self, code_rgb: UInt8[np.ndarray, "h w 3"]) -> Int32[np.ndarray, "h w"]:
        """Item index per pixel, from the segment ids that MuJoCo renders as colours."""
        model, scene = self._scene.model, self._renderer.scene
        item_of_code = np.full(scene.ngeom + 1, NO_ITEM, np.int32)
        for geom in scene.geoms[: scene.ngeom]:
            if geom.segid >= 0 and geom.objtype == mujoco.mjtObj.mjOBJ_GEOM:
                item_of_code[geom.segid + 1] = self._item_of_body[model.geom_bodyid[geom.objid]]
        code = code_rgb.astype(np.int32) @ np.array([1, 256, 65536], np.int32)
        return item_of_code[np.minimum(code, scene.ngeom)]


def _open_exact_context(model: MjModel) -> Any:
    """Buffers without antialiasing, which blends ids and depths at edges on some drivers."""
    samples, model.vis.quality.offsamples = model.vis.quality.offsamples, 0
    context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_50)
    model.vis.quality.offsamples = samples
    context.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR
    return context


def metres(depth: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    """MuJoCo's depth map (1 near, 0 far) in metres; 0 where nothing was hit."""
    inverse = depth.astype(np.float64) * (1 / NEAR_M - 1 / FAR_M) + 1 / FAR_M
    return np.where(depth > 0, 1 / inverse, 0).astype(np.float32)

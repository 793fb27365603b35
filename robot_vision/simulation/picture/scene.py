"""A tabletop: room, table, objects dropped and settled by physics, a gripper waiting aside."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from robot_vision.simulation.content.assets import make_shape
from robot_vision.simulation.content.distractors import make_distractor
from robot_vision.simulation.content.palette import CLASS_NAMES
from robot_vision.simulation.content.shapes import Shape
from robot_vision.simulation.picture.gl import MjData, MjModel, MjSpec, mujoco

OBJECT_TEXTURE_PX = 128
SURFACE_TEXTURE_PX = 256
SURFACES = ("table", "floor", "wall", "panel")
FLOOR_Z_M = -0.75
ROOM_HALF_M = 3.5
NEAR_M, FAR_M = 0.03, 15.0
TIMESTEP_S = 0.004
PARKED_M = (0.0, 0.0, -5.0)  # below the floor: out of sight
LIGHTS = 3
_SEEN, _COLLIDES = 0, 3  # geom groups: MuJoCo draws groups 0 to 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Item:
    """Something on the table. `class_name` is empty for a distractor."""

    class_name: str
    shape: Shape
    body_id: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """A compiled MuJoCo scene and what its bodies mean. World: z up, table top at z = 0."""

    model: MjModel
    data: MjData
    items: tuple[Item, ...]
    spread_m: float

    def extent(self) -> tuple[Float[np.ndarray, "3"], float]:
        """Centre of the items on the table, and the radius (metres) that contains them."""
        places = np.array([self.data.xpos[item.body_id] for item in self.items])
        places = places[places[:, 2] > -0.05]
        if not len(places):
            return np.zeros(3), self.spread_m
        centre = (places.min(axis=0) + places.max(axis=0)) / 2
        reach = np.linalg.norm(places - centre, axis=1).max()
        return centre, float(np.clip(reach, 0.1, 1.2 * self.spread_m))

    def world_from_object(self, item: Item) -> Float[np.ndarray, "4 4"]:
        """Pose of an item's frame in the world."""
        pose = np.eye(4)
        pose[:3, :3] = self.data.xmat[item.body_id].reshape(3, 3)
        pose[:3, 3] = self.data.xpos[item.body_id]
        return pose


@dataclass(frozen=True, kw_only=True)
class Content:
    """Number of objects in a scene, their radius, and how often they are piled up."""

    objects: tuple[int, int] = (1, 12)
    distractors: tuple[int, int] = (0, 5)
    spread_m: tuple[float, float] = (0.14, 0.38)
    piled_share: float = 0.2


def build_scene(
    rng: np.random.Generator, *, size_px: tuple[int, int], content: Content | None = None
) -> Scene:
    """Compile a random scene, not yet settled, to be rendered at `size_px` (width, height)."""
    content = content or Content()
    spec = empty_spec(size_px)
    spread_m = rng.uniform(*content.spread_m)
    _add_room(spec, rng, spread_m=spread_m)
    shapes = _draw_shapes(rng, content)
    for index, (_, shape) in enumerate(shapes):
        add_body(spec, f"item{index}", shape)
    _add_gripper(spec)
    model = spec.compile()
    items = tuple(
        Item(class_name=name, shape=shape, body_id=model.body(f"item{index}").id)
        for index, (name, shape) in enumerate(shapes)
    )
    scene = Scene(model=model, data=mujoco.MjData(model), items=items, spread_m=spread_m)
    _drop(scene, rng, piled=rng.random() < content.piled_share)
    return scene


def settle(scene: Scene, *, seconds: float) -> None:
    """Let physics run."""
    for _ in range(round(seconds / TIMESTEP_S)):
        mujoco.mj_step(scene.model, scene.data)


def _draw_shapes(rng: np.random.Generator, content: Content) -> list[tuple[str, Shape]]:
    count = int(rng.integers(content.objects[0], content.objects[1] + 1))
    names = [str(name) for name in rng.choice(CLASS_NAMES, count)]
    shapes = [(name, make_shape(name, rng)) for name in names]
    clutter = int(rng.integers(content.distractors[0], content.distractors[1] + 1))
    return shapes + [("", make_distractor(rng)) for _ in range(clutter)]


def empty_spec(size_px: tuple[int, int]) -> MjSpec:
    """Physics and rendering options shared by all scenes."""
    spec = mujoco.MjSpec()
    spec.option.timestep = TIMESTEP_S
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.visual.global_.offwidth, spec.visual.global_.offheight = size_px
    spec.visual.quality.offsamples = 4
    spec.visual.quality.shadowsize = 1024
    spec.visual.map.znear, spec.visual.map.zfar = NEAR_M, FAR_M
    spec.visual.map.shadowclip = 1.5
    spec.stat.extent = 1.0
    spec.stat.center = [0, 0, 0]
    return spec


def add_material(spec: MjSpec, name: str, size_px: int, repeat: float) -> None:
    """A material with its own texture, painted later (see `look.py`)."""
    spec.add_texture(
        name=name,
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        width=size_px,
        height=size_px,
        nchannel=3,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_FLAT,
    )
    material = spec.add_material(name=name, texrepeat=[repeat, repeat])
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name


def _add_room(spec: MjSpec, rng: np.random.Generator, *, spread_m: float) -> None:
    add_surfaces(spec, rng)
    add_walls(spec)
    _add_table(spec, rng, spread_m=spread_m)
    add_stage(spec)


def add_surfaces(spec: MjSpec, rng: np.random.Generator) -> None:
    """Materials of the room, each pattern repeated a few times."""
    for name in SURFACES:
        add_material(spec, name, SURFACE_TEXTURE_PX, float(rng.choice([1, 2, 4])))


def add_walls(spec: MjSpec) -> None:
    """Floor and four walls."""
    half, height = ROOM_HALF_M, 2 * ROOM_HALF_M
    plane = mujoco.mjtGeom.mjGEOM_PLANE
    world = spec.worldbody
    world.add_geom(
        type=plane, size=[half, half, 1], pos=[0, 0, FLOOR_Z_M], material="floor", condim=6
    )
    for angle in np.arange(4) * np.pi / 2:
        inward = np.array([-np.cos(angle), -np.sin(angle), 0])
        quaternion = np.zeros(4)
        mujoco.mju_quatZ2Vec(quaternion, inward)
        world.add_geom(
            type=plane, size=[height, height, 1], pos=-half * inward, quat=quaternion,
            material="wall", contype=0, conaffinity=0,
        )  # fmt: skip


def add_stage(spec: MjSpec) -> None:
    """A board behind the objects, lights, and the camera."""
    world = spec.worldbody
    panel = world.add_body(name="panel", mocap=True, pos=PARKED_M)
    panel.add_geom(
        type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.02, 1.2, 0.6], material="panel",
        contype=0, conaffinity=0,
    )  # fmt: skip
    for index in range(LIGHTS):
        world.add_light(name=f"light{index}", pos=[0, 0, 2], dir=[0, 0, -1])
    world.add_camera(name="camera", pos=[0, -1, 0.6])


def _add_table(spec: MjSpec, rng: np.random.Generator, *, spread_m: float) -> None:
    half = spread_m + rng.uniform(0.08, 0.6, 2)
    common = {"material": "table", "condim": 6, "friction": [0.8, 0.01, 0.004]}
    thick = rng.uniform(0.01, 0.04)
    if rng.random() < 0.25:
        spec.worldbody.add_geom(
            type=mujoco.mjtGeom.mjGEOM_CYLINDER, size=[max(half), thick, 0],
            pos=[0, 0, -thick], **common,
        )  # fmt: skip
        return
    spec.worldbody.add_geom(
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=[half[0], half[1], thick],
        pos=[0, 0, -thick],
        **common,
    )


def add_body(spec: MjSpec, name: str, shape: Shape) -> None:
    """A free-moving object with its own texture."""
    add_material(spec, name, OBJECT_TEXTURE_PX, 1)
    steel = f"{name}_metal"
    spec.add_material(name=steel, rgba=[0.6, 0.6, 0.62, 1], specular=0.9, shininess=0.8)
    body = spec.worldbody.add_body(name=name)
    body.add_freejoint()
    for index, part in enumerate(shape.parts):
        mesh_name = f"{name}_{index}"
        mesh = part.mesh
        spec.add_mesh(
            name=mesh_name,
            uservert=mesh.vertices_m.ravel(),
            userface=mesh.faces.ravel(),
            usertexcoord=mesh.uv.ravel(),
            userfacetexcoord=mesh.face_uv.ravel(),
            inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL,
        )
        body.add_geom(
            type=mujoco.mjtGeom.mjGEOM_MESH, meshname=mesh_name, group=_SEEN, mass=0,
            contype=0, conaffinity=0, material=steel if part.metal else name,
        )  # fmt: skip
    for collider in shape.colliders:
        body.add_geom(
            type=getattr(mujoco.mjtGeom, f"mjGEOM_{collider.kind.upper()}"),
            size=[*collider.size_m, 0, 0][:3],
            pos=collider.position_m,
            quat=collider.quaternion_wxyz,
            group=_COLLIDES,
            mass=shape.mass_kg / len(shape.colliders),
            condim=6,
            friction=[0.7, 0.01, 0.004],
        )


def _add_gripper(spec: MjSpec) -> None:
    """Two-finger gripper, tool point at the origin, approach along −z. Visible only, without
    collisions."""
    body = spec.worldbody.add_body(name="gripper", mocap=True, pos=PARKED_M)
    spec.add_material(name="gripper", rgba=[0.3, 0.3, 0.3, 1], specular=0.5, shininess=0.5)
    spec.add_material(name="arm", rgba=[0.9, 0.9, 0.9, 1], specular=0.4, shininess=0.5)
    box, cylinder = mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_CYLINDER
    parts = (
        (box, [0.008, 0.011, 0.03], [0.036, 0, 0.02], "gripper"),
        (box, [0.008, 0.011, 0.03], [-0.036, 0, 0.02], "gripper"),
        (box, [0.1, 0.028, 0.03], [0, 0, 0.08], "gripper"),
        (cylinder, [0.045, 0.045, 0], [0, 0, 0.15], "arm"),
        (cylinder, [0.055, 0.3, 0], [0, 0, 0.49], "arm"),
    )
    for kind, size, position, material in parts:
        body.add_geom(
            type=kind, size=size, pos=position, material=material, contype=0, conaffinity=0
        )


def _drop(scene: Scene, rng: np.random.Generator, *, piled: bool) -> None:
    """Place the items over the table, standing apart or falling onto a pile."""
    radius_m = 0.5 * scene.spread_m if piled else scene.spread_m
    taken: list[tuple[float, float, float]] = []
    height_m = 0.0
    for item in scene.items:
        half = item.shape.half_size_m
        reach = float(np.hypot(half[0], half[1]))
        place = _free_place(taken, reach, radius_m, rng)
        quaternion = _orientation(rng, tumbled=rng.random() < (0.7 if piled else 0.25))
        upright = place is not None and not piled
        if place is None or piled:
            x, y = (rng.uniform(-0.6, 0.6, 2) * radius_m).tolist()
            place = x, y
            height_m += float(half.max())
        taken.append((place[0], place[1], reach))
        lift = float(half[2] if upright and abs(quaternion[0] ** 2 + quaternion[3] ** 2 - 1) < 1e-6
                     else half.max() + height_m)  # fmt: skip
        start = scene.model.jnt_qposadr[scene.model.body_jntadr[item.body_id]]
        scene.data.qpos[start : start + 7] = [*place, lift + 0.003, *quaternion]
    mujoco.mj_forward(scene.model, scene.data)


def _free_place(
    taken: list[tuple[float, float, float]],
    reach_m: float,
    radius_m: float,
    rng: np.random.Generator,
) -> tuple[float, float] | None:
    for _ in range(30):
        distance, angle = radius_m * np.sqrt(rng.random()), rng.uniform(0, 2 * np.pi)
        x, y = float(distance * np.cos(angle)), float(distance * np.sin(angle))
        if all(np.hypot(x - a, y - b) > 0.9 * (reach_m + c) for a, b, c in taken):
            return x, y
    return None


def _orientation(rng: np.random.Generator, *, tumbled: bool) -> tuple[float, float, float, float]:
    """Quaternion w x y z: rotated about the vertical, or arbitrarily."""
    if tumbled:
        q = rng.normal(size=4)
        w, x, y, z = (q / np.linalg.norm(q)).tolist()
        return w, x, y, z
    yaw = rng.uniform(0, 2 * np.pi)
    return float(np.cos(yaw / 2)), 0.0, 0.0, float(np.sin(yaw / 2))

"""The format of a dataset of demonstrations, from parameters and received messages."""

from robot_vision.core.parameters.demonstration_config import DemonstrationConfig
from robot_vision.datasets.lerobot.form.schema import ActionConvention, CameraFormat, DatasetFormat
from robot_vision.demonstrations.recording.align import AlignConfig
from robot_vision.ros.demonstrations.topics import DemoTopics
from robot_vision.ros.messages.convert import depth_from_message, rgb_from_message


def dataset_format(
    config: DemonstrationConfig, heard: DemoTopics, *, joints: tuple[str, ...]
) -> DatasetFormat:
    """The dataset's format, with the sizes of received images."""
    return DatasetFormat(
        fps=config.fps,
        robot_type=config.robot_type,
        joint_names=joints,
        cameras=tuple(_camera(config, heard, name) for name in config.cameras),
        action=ActionConvention(
            frame_id=config.frame_id,
            tool_frame_id=config.tool_frame_id,
            source=config.action_source,
        ),
    )


def align_config(config: DemonstrationConfig, *, joints: tuple[str, ...]) -> AlignConfig:
    """How messages are aligned to the dataset's time grid."""
    tolerance = config.tolerance
    return AlignConfig(
        fps=config.fps,
        cameras=tuple(config.cameras),
        joints=joints,
        gripper=config.gripper.joint,
        depth_cameras=tuple(config.depth_cameras),
        follows_command=config.action_source != "measured",
        camera_tolerance_s=tolerance.camera_s,
        depth_tolerance_s=tolerance.depth_s,
        robot_tolerance_s=tolerance.robot_s,
        command_tolerance_s=tolerance.command_s,
        wait_s=tolerance.wait_s,
    )


def _camera(config: DemonstrationConfig, heard: DemoTopics, name: str) -> CameraFormat:
    height_px, width_px = rgb_from_message(heard.images[name]).shape[:2]
    depth_px = (0, 0)
    if name in config.depth_cameras:
        depth_m = depth_from_message(heard.depths[name], raw_unit_m=config.raw_unit_m)
        depth_px = depth_m.shape
    return CameraFormat(
        name=name,
        width_px=width_px,
        height_px=height_px,
        depth_width_px=depth_px[1],
        depth_height_px=depth_px[0],
    )
